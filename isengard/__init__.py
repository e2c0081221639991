"""Isengard: from photos of a character to an identity LoRA to images, in one process."""

__version__ = "0.1.0"
