"""The version that is stood in for."""

VERSION = "0.12.26"
