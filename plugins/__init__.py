"""Plugs: backends that fill the sockets. Each imports only isengard.plugins, isengard.domain and isengard.errors."""
