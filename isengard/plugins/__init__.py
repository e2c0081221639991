"""The sockets: what a plugin must offer, and what it is given. Third parties import only this, domain and errors."""
