"""Parts that tabs share."""
