"""The version that the double speaks unless its plan names another."""

__version__ = "0.33.0"
