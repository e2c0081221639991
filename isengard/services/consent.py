"""Refuses to train on a face of which nobody has said whose it is."""

from __future__ import annotations

from isengard.domain.base_model import BaseModelRow
from isengard.domain.character import Character
from isengard.errors import Conflict


def require_consent(character: Character, base: BaseModelRow) -> None:
    """Raise Conflict unless it was stated whose face this is.

    The model that ships with the project is exempt: it draws figures that nobody could take for a photograph.
    """
    if character.consent is None and base.path is None:
        raise Conflict(
            f"Nobody has said yet whose face {character.name} has.",
            "Say it in the Characters tab, or PUT /api/characters/{id}/consent: yourself, someone who gave "
            "permission, or a fictional character.",
        )
