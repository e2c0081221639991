"""Machinery: one outside thing per file."""
