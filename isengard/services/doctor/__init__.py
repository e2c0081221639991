"""The Dataset Doctor: one report on a character's pictures before any GPU hour, and fixes that undo takes back."""

from isengard.services.doctor.doctor import Doctor

__all__ = ["Doctor"]
