"""LoRA versions: list, rename, note, delete and restore, take out, take in."""

from __future__ import annotations

import builtins
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from isengard.domain.lora import Lora, LoraPatch
from isengard.domain.page import Page
from isengard.errors import InvalidInput, NotFound
from isengard.infra.library import LikenessBook, LoraShelf, LoraTrash
from isengard.infra.queue import Queue
from isengard.infra.storage import Storage
from isengard.infra.zip_stream import zip_stream
from isengard.plugins.registry import Plugins
from isengard.services.choice import BaseModelChoice
from isengard.services.lora_origin import LoraReport, check_family, report_on
from isengard.services.once import once

IMPORTED = "imported"
MAX_LORA_MB = 4096


@dataclass(frozen=True)
class Loras:
    """LoRA versions with their lineage."""

    shelf: LoraShelf
    trash: LoraTrash
    likeness: LikenessBook
    storage: Storage
    queue: Queue
    plugins: Plugins
    choice: BaseModelChoice

    def list(self, character_id: str | None = None, cursor: str | None = None, limit: int = 100) -> Page[Lora]:
        """Return a page, newest first."""
        found = self.shelf.list(character_id, cursor, limit)
        return found.model_copy(update={"items": tuple(self.measured(found.items))})

    def measured(self, loras: Sequence[Lora]) -> builtins.list[Lora]:
        """Return them with the likeness of the pictures that were made with each."""
        known = self.likeness.all()
        scores = [(lora, known.get(lora.id)) for lora in loras]
        return [
            lora.model_copy(update={"likeness": score.mean, "likeness_pictures": score.pictures}) if score else lora
            for lora, score in scores
        ]

    def get(self, lora_id: str) -> Lora:
        """Return one; raise NotFound."""
        return self.measured([self.shelf.get(lora_id)])[0]

    def update(self, lora_id: str, patch: LoraPatch) -> Lora:
        """Change the fields that are given."""
        changes = patch.model_dump(exclude_none=True)
        if "name" in changes:
            changes["name"] = printable(changes["name"])
        with self.storage.locked(lora_id):
            changed = self.shelf.get(lora_id).model_copy(update=changes)
            self.shelf.save(changed)
        return changed

    # --- the trash --------------------------------------------------------------------------

    def delete(self, lora_id: str) -> Lora:
        """Put a version into the trash, where it is kept for a week; pictures made with it stay."""
        lora = self.shelf.get(lora_id)
        if lora.checkpoint is not None:
            raise InvalidInput(f"{lora.label} is a checkpoint, not a version.", "Delete it under /api/checkpoints.")
        return self.trash.put(lora)

    def deleted(self) -> Sequence[Lora]:
        """Return what is in the trash."""
        return self.trash.list()

    def restore(self, lora_id: str) -> Lora:
        """Take a version out of the trash; raise NotFound when it is not there."""
        return self.trash.restore(lora_id)

    def remove(self, lora_id: str) -> None:
        """Delete a version in the trash for good."""
        self.trash.remove(lora_id)

    # --- taking out -------------------------------------------------------------------------

    def file(self, lora_id: str) -> Path:
        """Return the safetensors file."""
        return self.shelf.path(self.shelf.get(lora_id))

    def samples(self, lora_id: str) -> Sequence[str]:
        """Return the names of its sample pictures."""
        return [path.name for path in self.shelf.samples(self.shelf.get(lora_id))]

    def sample(self, lora_id: str, name: str) -> Path:
        """Return one sample picture; raise NotFound."""
        for path in self.shelf.samples(self.shelf.get(lora_id)):
            if path.name == name:
                return path
        raise NotFound("There is no such sample picture.", "Reload the page; the LoRA may have been deleted.")

    def export(self, lora_id: str) -> Iterator[bytes]:
        """Return an archive of the file, its lineage, its training config and its samples, as a stream."""
        lora = self.shelf.get(lora_id)
        name = file_name(lora)
        members: dict[str, Path | bytes] = {
            f"{name}/{name}.safetensors": self.shelf.path(lora),
            f"{name}/{name}.json": _text(lora.record()),
            f"{name}/training_config.json": _text(lora.config | {"version": lora.version}),
        }
        for path in self.shelf.samples(lora):
            members[f"{name}/samples/{path.name}"] = path
        return zip_stream(members)

    # --- taking in --------------------------------------------------------------------------

    def inspect(self, incoming: Path) -> LoraReport:
        """Say what a file is and which base model it may be for; raise InvalidInput when it is no safetensors file."""
        return report_on(incoming, self.choice)

    def add(self, incoming: Path, name: str, base_model: str, trigger_word: str, key: str | None = None) -> Lora:
        """Take a LoRA file made elsewhere; raise InvalidInput when it is no safetensors or does not fit the base.

        Without a base model the one that the file's names and shapes tell is taken, when they tell one.
        """
        if incoming.stat().st_size > MAX_LORA_MB * 2**20:
            raise InvalidInput("The file is too large for a LoRA.", f"At most {MAX_LORA_MB} MB are taken.")
        report = self.inspect(incoming)
        if not base_model and not report.certain:
            named = ", ".join(report.base_models)
            raise InvalidInput(report.doubt, f"Name the base model: {named}." if named else "Choose another file.")
        base = self.choice.for_images(base_model or report.base_models[0])
        if self.choice.can_generate(base):
            self.plugins.image_for(base).check_lora(incoming, base)
        else:
            check_family(report.facts, base)

        def make(identifier: str) -> Lora:
            return self.shelf.add(
                incoming,
                _imported(identifier, printable(name.removesuffix(".safetensors")), report, base.id, trigger_word),
            )

        return once(self.queue, "lora", key, make, self.shelf.get)


def _imported(identifier: str, name: str, report: LoraReport, base_model: str, trigger_word: str) -> Lora:
    said = report.facts.metadata
    return Lora(
        id=identifier,
        character_id=IMPORTED,
        character_name=name or "LoRA",
        version="",
        trigger_word=trigger_word,
        base_model=base_model,
        rank=report.facts.rank or 0,
        alpha=_number(said.get("ss_network_alpha")),
        steps=int(_number(said.get("ss_steps"))),
        image_count=int(_number(said.get("ss_num_train_images"))),
        origin=report.summary,
    )


def _number(text: str | None) -> float:
    try:
        number = float(text or 0)
    except ValueError:  # a foreign file may say anything
        return 0
    return number if 0 <= number < 1e9 else 0


def printable(text: str) -> str:
    """Return a name as lists show it."""
    return " ".join("".join(c for c in text if c.isprintable()).split())[:80]


def file_name(lora: Lora) -> str:
    """Return its name as a file's, in letters that every system takes."""
    kept = "".join(c if c.isalnum() or c in "._-" else "-" for c in lora.label)
    return kept.strip(".-") or lora.id


def _text(record: object) -> bytes:
    return json.dumps(record, ensure_ascii=False, indent=1).encode()
