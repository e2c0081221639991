"""What was made and what can be used: LoRAs, outputs, base models."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from isengard.domain.base import Value
from isengard.domain.base_model import BaseModelRow
from isengard.domain.lora import Lora, LoraPatch
from isengard.domain.output import Output
from isengard.domain.page import Page
from isengard.errors import InvalidInput
from isengard.infra.library import LoraShelf, OutputShelf
from isengard.infra.queue import Queue
from isengard.infra.storage import Storage
from isengard.plugins.registry import Plugins
from isengard.services.choice import BaseModelChoice
from isengard.services.once import once

IMPORTED = "imported"
MAX_LORA_MB = 4096


@dataclass(frozen=True)
class Loras:
    """LoRA versions with their lineage."""

    shelf: LoraShelf
    storage: Storage
    queue: Queue
    plugins: Plugins
    choice: BaseModelChoice

    def list(self, character_id: str | None = None, cursor: str | None = None, limit: int = 100) -> Page[Lora]:
        """Return a page, newest first."""
        return self.shelf.list(character_id, cursor, limit)

    def get(self, lora_id: str) -> Lora:
        """Return one; raise NotFound."""
        return self.shelf.get(lora_id)

    def update(self, lora_id: str, patch: LoraPatch) -> Lora:
        """Change the fields that are given."""
        changed = self.shelf.get(lora_id).model_copy(update=patch.model_dump(exclude_none=True))
        self.shelf.save(changed)
        return changed

    def delete(self, lora_id: str) -> None:
        """Delete the file and its record; pictures made with it stay."""
        self.shelf.delete(self.shelf.get(lora_id))

    def file(self, lora_id: str) -> Path:
        """Return the safetensors file."""
        return self.shelf.path(self.shelf.get(lora_id))

    def add(self, incoming: Path, name: str, base_model: str, trigger_word: str, key: str | None = None) -> Lora:
        """Take a LoRA file made elsewhere; raise InvalidInput when it is no safetensors or does not fit the base."""
        base = self.choice.for_images(base_model)
        if incoming.stat().st_size > MAX_LORA_MB * 2**20:
            raise InvalidInput("The file is too large for a LoRA.", f"At most {MAX_LORA_MB} MB are taken.")
        self.plugins.image_for(base).check_lora(incoming, base)
        shown = "".join(c for c in name if c.isprintable())[:80] or "LoRA"

        def make(identifier: str) -> Lora:
            lora = Lora(
                id=identifier,
                character_id=IMPORTED,
                character_name=shown,
                version="",
                trigger_word=trigger_word,
                base_model=base.id,
            )
            return self.shelf.add(incoming, lora)

        return once(self.queue, "lora", key, make, self.shelf.get)


@dataclass(frozen=True)
class Outputs:
    """The gallery."""

    shelf: OutputShelf

    def list(self, character_id: str | None = None, cursor: str | None = None, limit: int = 60) -> Page[Output]:
        """Return a page, newest first."""
        return self.shelf.list(character_id, cursor, limit)

    def get(self, output_id: str) -> Output:
        """Return one; raise NotFound."""
        return self.shelf.get(output_id)

    def file(self, output_id: str, size: str) -> Path:
        """Return the file: ``thumb`` or ``full``."""
        output = self.shelf.get(output_id)
        return self.shelf.thumb(output) if size == "thumb" else self.shelf.path(output)

    def delete(self, output_id: str) -> None:
        """Delete one picture."""
        self.shelf.delete(self.shelf.get(output_id))


class Model(Value):
    """A registry row and what can be done with it here."""

    row: BaseModelRow
    installed: bool
    can_train: bool
    can_generate: bool
    folder: str
    reason: str = ""


@dataclass(frozen=True)
class Models:
    """The registry, seen from this machine."""

    choice: BaseModelChoice

    def list(self) -> Page[Model]:
        """Return every row."""
        items = tuple(self._model(row) for row in self.choice.registry.rows())
        return Page[Model](items=items, total=len(items))

    def get(self, model_id: str) -> Model:
        """Return one; raise NotFound."""
        return self._model(self.choice.registry.get(model_id))

    def _model(self, row: BaseModelRow) -> Model:
        train = row.kind == "base_model" and self.choice.can_train(row)
        generate = row.kind == "base_model" and self.choice.can_generate(row)
        folder = self.choice.registry.folder(row)
        face = row.kind == "face_model" and any(backend.name == row.id for backend in self.choice.plugins.face)
        here = train or generate or face
        reason = "" if here else f"Not downloaded. Put the diffusers-format folder of {row.source} at {folder}."
        return Model(row=row, installed=here, can_train=train, can_generate=generate, folder=str(folder), reason=reason)
