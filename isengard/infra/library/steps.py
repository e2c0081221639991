"""The edits of a dataset in order, and how many of them are done: undo goes one back, redo one forth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from isengard.domain.base import new_id
from isengard.domain.dataset import Change, Edit, EditLine, History, TrainingImage

MAX_EDITS = 200  # older ones can no longer be undone, and files that only they name are deleted


@dataclass(frozen=True)
class Steps:
    """``edits[:done]`` are in effect; the rest was undone and can be done again. Nothing changes in place."""

    edits: tuple[Edit, ...]
    done: int

    @classmethod
    def of(cls, record: dict[str, Any], revision: str | None) -> Steps:
        """Read what as_json wrote; ``revision`` is the id of the last edit in effect."""
        edits = tuple(Edit.model_validate(row) for row in record["edits"])
        done = next((place + 1 for place, edit in enumerate(edits) if edit.id == revision), 0)
        return cls(edits, done)

    @property
    def revision(self) -> str | None:
        """Id of the last edit in effect."""
        return self.edits[self.done - 1].id if self.done else None

    def as_json(self) -> dict[str, Any]:
        """Return what the history file holds."""
        return {"version": 1, "edits": [edit.model_dump(mode="json") for edit in self.edits]}

    def with_edit(self, label: str, changes: tuple[Change, ...], batch: str = "") -> Steps:
        """Add an edit; what was undone before can no longer be done again. A batch's edits become one.

        A label starts with what was done: "Cropped portrait.jpg".
        """
        kept = self.edits[: self.done]
        if batch and kept and kept[-1].batch == batch:
            changes = _joined(kept[-1].changes, changes)
            first = kept[-1].label
            label = first if len(changes) == 1 else f"{first.split()[0]} {len(changes)} pictures"
            kept = kept[:-1]
        edits = (*kept, Edit(id=new_id("edit"), label=label, batch=batch, changes=changes))[-MAX_EDITS:]
        return Steps(edits, len(edits))

    def back(self) -> tuple[Edit | None, Steps]:
        """Return the edit to take back, or None, and what is left in effect."""
        return (self.edits[self.done - 1], Steps(self.edits, self.done - 1)) if self.done else (None, self)

    def forth(self) -> tuple[Edit | None, Steps]:
        """Return the edit to do again, or None, and what is in effect then."""
        waiting = self.done < len(self.edits)
        return (self.edits[self.done], Steps(self.edits, self.done + 1)) if waiting else (None, self)

    def images(self) -> Iterator[TrainingImage]:
        """Every state of every picture that an undo or a redo may need."""
        for edit in self.edits:
            for change in edit.changes:
                yield from (image for image in (change.before, change.after) if image is not None)

    def lines(self) -> History:
        """Return the edits as lists show them, newest first."""
        last, following = self.back()[0], self.forth()[0]
        lines = [
            EditLine(
                id=edit.id,
                label=edit.label,
                pictures=len(edit.changes),
                done=place < self.done,
                created_at=edit.created_at,
            )
            for place, edit in enumerate(self.edits)
        ]
        return History(
            undo=last.label if last else None, redo=following.label if following else None, edits=tuple(lines[::-1])
        )


def _joined(first: tuple[Change, ...], then: tuple[Change, ...]) -> tuple[Change, ...]:
    """Chain the changes of two edits picture by picture."""
    joined = {_id(change): change for change in first}
    for change in then:
        earlier = joined.get(_id(change))
        joined[_id(change)] = change.model_copy(update={"before": earlier.before}) if earlier else change
    return tuple(change for change in joined.values() if change.before != change.after)


def _id(change: Change) -> str:
    image = change.before or change.after
    return image.id if image else ""
