"""The nouns: frozen values with no input or output."""
