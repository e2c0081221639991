"""Routes of characters; those of their pictures are in ``datasets``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Response

from isengard.api.parameters import Cursor, Key, Limit
from isengard.api.problems import responses
from isengard.domain.character import Character, CharacterPatch, ConsentStatement, NewCharacter
from isengard.domain.page import Page
from isengard.services.house import Isengard

EXAMPLE = {"zara": {"value": {"name": "Zara", "trigger_word": "ohwx person", "consent": "self"}}}


def router(isengard: Isengard) -> APIRouter:
    """Return the routes under /api/characters."""
    routes = APIRouter(prefix="/api/characters", tags=["characters"], responses=responses(404, 422))
    _characters(routes, isengard)
    return routes


def _characters(routes: APIRouter, isengard: Isengard) -> None:
    characters = isengard.characters

    @routes.post("", status_code=201)
    def create(new: Annotated[NewCharacter, Body(openapi_examples=EXAMPLE)], key: Key = None) -> Character:
        """Make a character."""
        return characters.create(new, key)

    @routes.post("/sample", status_code=201)
    def create_sample(key: Key = None) -> Character:
        """Make the sample character with its twelve pictures."""
        return characters.create_sample(key)

    @routes.get("")
    def list_characters(cursor: Cursor = None, limit: Limit = 50) -> Page[Character]:
        """List characters, newest first."""
        return characters.list(cursor, limit)

    @routes.get("/{character_id}")
    def get(character_id: str) -> Character:
        """Return one character."""
        return characters.get(character_id)

    @routes.patch("/{character_id}")
    def update(character_id: str, patch: CharacterPatch) -> Character:
        """Change the fields that are sent."""
        return characters.update(character_id, patch)

    @routes.put("/{character_id}/consent")
    def state_consent(character_id: str, stated: ConsentStatement) -> Character:
        """State whose face it is. Who says so, when, and the words agreed to are recorded."""
        return characters.state_consent(character_id, stated)

    @routes.delete("/{character_id}", status_code=204, response_class=Response)
    def delete(character_id: str) -> None:
        """Delete a character and its pictures; LoRAs and generated pictures stay."""
        characters.delete(character_id)
