"""Characters: make, change, delete, and the sample that ships with Isengard."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from isengard.domain.base import utc_now
from isengard.domain.character import (
    Character,
    CharacterPatch,
    Consent,
    ConsentRecord,
    ConsentStatement,
    NewCharacter,
)
from isengard.domain.page import Page
from isengard.errors import Conflict, InvalidInput
from isengard.infra.library import CharacterShelf
from isengard.infra.queue import Queue
from isengard.services.datasets import Datasets
from isengard.services.once import once
from isengard.services.trigger_word import checked_trigger
from isengard.services.uploads import Upload

SAMPLE = Path(__file__).resolve().parents[1] / "sample"
ACTIVE = ("queued", "running", "cancelling")
log = structlog.get_logger("services.characters")


@dataclass(frozen=True)
class Characters:
    """Every change is on disk when the call returns."""

    shelf: CharacterShelf
    queue: Queue
    datasets: Datasets

    def create(self, new: NewCharacter, idempotency_key: str | None = None) -> Character:
        """Make a character; raise InvalidInput for a name or trigger word that cannot serve."""
        wanted = {
            **new.model_dump(exclude={"consent"}),
            "name": _name(new.name),
            "trigger_word": checked_trigger(new.trigger_word),
        }

        def make(identifier: str) -> Character:
            character = Character(id=identifier, **wanted, **_recorded(new.consent))
            self.shelf.save(character)
            log.info("character.created", character_id=identifier)
            return character

        return once(self.queue, "char", idempotency_key, make, self.shelf.get)

    def create_sample(self, idempotency_key: str | None = None) -> Character:
        """Make the sample character with its twelve captioned pictures; all of it or nothing."""
        given = json.loads((SAMPLE / "character.json").read_text(encoding="utf-8"))
        files = [Upload(path.name, path.read_bytes()) for path in sorted(SAMPLE.glob("*.*")) if path.suffix != ".json"]

        def make(identifier: str) -> Character:
            character = Character(id=identifier, **given, **_recorded("fictional"), sample=True)
            self.shelf.save(character)
            try:
                self.datasets.add(identifier, files)
            except BaseException:
                self.shelf.delete(identifier)
                raise
            return self.shelf.get(identifier)

        return once(self.queue, "char", idempotency_key, make, self.shelf.get)

    def get(self, character_id: str) -> Character:
        """Return one; raise NotFound."""
        return self.shelf.get(character_id)

    def list(self, cursor: str | None = None, limit: int = 50) -> Page[Character]:
        """Return a page, newest first."""
        return self.shelf.list(cursor, limit)

    def update(self, character_id: str, patch: CharacterPatch) -> Character:
        """Change the fields that are given."""
        changes: dict[str, Any] = patch.model_dump(exclude_none=True, exclude={"consent"})
        if "name" in changes:
            changes["name"] = _name(changes["name"])
        if "trigger_word" in changes:
            changes["trigger_word"] = checked_trigger(changes["trigger_word"])

        def change(old: Character) -> Character:
            stated = _recorded(patch.consent) if patch.consent and patch.consent != old.consent else {}
            return old.model_copy(update={**changes, **stated, "updated_at": utc_now()})

        return self.shelf.change(character_id, change)

    def state_consent(self, character_id: str, stated: ConsentStatement) -> Character:
        """Record whose face it is, who says so and when; training on a real base model needs it."""
        update = {"consent": stated.kind, "consent_record": ConsentRecord.of(stated), "updated_at": utc_now()}
        changed = self.shelf.change(character_id, lambda old: old.model_copy(update=update))
        log.info("consent.stated", character_id=character_id, kind=stated.kind)
        return changed

    def delete(self, character_id: str) -> None:
        """Delete a character and its pictures; LoRAs and generated pictures stay. Refused while it is trained."""
        character = self.shelf.get(character_id)
        for status in ACTIVE:
            if self.queue.list("training", status, character_id, limit=1).items:
                raise Conflict(f"{character.name} is being trained.", "Cancel the training first, or wait for it.")
        self.shelf.delete(character_id)
        log.info("character.deleted", character_id=character_id)


def _recorded(consent: Consent | None) -> dict[str, Any]:
    record = ConsentRecord.of(ConsentStatement(kind=consent)) if consent else None
    return {"consent": consent, "consent_record": record}


def _name(text: str) -> str:
    name = " ".join("".join(c for c in text if c.isprintable()).split())
    if not name:
        raise InvalidInput("The name is empty.", "Give the character a name; it is shown in lists.")
    return name
