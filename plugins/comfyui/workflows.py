"""Workflows as files, ours in ``workflows/`` and people's own on the volume: read, checked, read again when changed."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from isengard.domain.base_model import BaseModelRow
from isengard.domain.request import Task
from isengard.errors import InvalidInput, NotFound
from plugins.comfyui.markers import problems
from plugins.comfyui.migrations import migrated

BUILTIN = Path(__file__).parent / "workflows"
SCHEMA = "schema.json"
MAX_BYTES = 2_000_000
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
OUTPUTS = ("SaveImage", "PreviewImage")
STATE_FAMILY = 'Say in the file which models it is for, beside its nodes: "isengard": {"families": ["sdxl"]}.'


@dataclass(frozen=True)
class Workflow:
    """A checked workflow. ``nodes`` are those of the file, markers and all; `graph.build` fills them in.

    ``base_models`` are registry ids; empty: all of ``families``. ``min_comfyui``: '' where the file does not say.
    """

    id: str
    title: str
    task: Task
    families: tuple[str, ...]
    base_models: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    negative_prompt: bool = False
    min_comfyui: str = ""
    nodes: tuple[Mapping[str, Any], ...] = ()
    builtin: bool = True

    def fits(self, base: BaseModelRow) -> bool:
        """Tell whether it was made for this base model."""
        return base.id in self.base_models if self.base_models else base.family in self.families


@dataclass(frozen=True)
class BrokenWorkflow:
    """A file that is no usable workflow: why, and what to do."""

    file: Path
    reason: str
    hint: str


class Workflows:
    """All workflows of both folders. Thread-safe; a person's file is read again when its time or size changes."""

    def __init__(self, builtin_folder: Path = BUILTIN, user_folder: Path | None = None) -> None:
        self.folders = {True: builtin_folder, False: user_folder}
        self._lock = threading.Lock()
        self._read: dict[Path, tuple[tuple[int, int], Workflow | BrokenWorkflow]] = {}
        self._ours: list[Workflow | BrokenWorkflow] = []  # every submission asks several times, and they stay the same

    def all(self) -> tuple[Workflow, ...]:
        """Return the usable ones, ours first, each by name."""
        return tuple(found for found in self._everything() if isinstance(found, Workflow))

    def broken(self) -> tuple[BrokenWorkflow, ...]:
        """Return the files that cannot be used."""
        return tuple(found for found in self._everything() if isinstance(found, BrokenWorkflow))

    def get(self, workflow_id: str) -> Workflow:
        """Return one; raise InvalidInput for a broken file and NotFound for none of that name."""
        for found in self._everything():
            if isinstance(found, Workflow) and found.id == workflow_id:
                return found
        for found in self.broken():
            if found.file.stem == workflow_id:
                raise InvalidInput(found.reason, found.hint)
        raise NotFound(f"There is no workflow '{workflow_id}'.", "Choose one of the list, or put its file back.")

    def for_base(self, base: BaseModelRow, task: Task) -> Workflow | None:
        """Return the one to use when none was chosen: ours before theirs, one that names the model before others."""
        fitting = [workflow for workflow in self.all() if workflow.task == task and workflow.fits(base)]
        return min(fitting, key=lambda found: (not found.builtin, not found.base_models), default=None)

    def _everything(self) -> list[Workflow | BrokenWorkflow]:
        with self._lock:
            self._ours = self._ours or self._in(builtin=True)
            found = [*self._ours, *self._in(builtin=False)]
        ours = {one.id for one in found if isinstance(one, Workflow) and one.builtin}
        return [self._clash(one) if isinstance(one, Workflow) and _hides(one, ours) else one for one in found]

    def _clash(self, workflow: Workflow) -> BrokenWorkflow:
        file = (self.folders[False] or BUILTIN) / f"{workflow.id}.json"
        return BrokenWorkflow(file, f"{file.name} has the name of a workflow of ours.", "Give the file another name.")

    def _in(self, *, builtin: bool) -> list[Workflow | BrokenWorkflow]:
        folder = self.folders[builtin]
        paths = sorted(folder.glob("*.json")) if folder else ()
        return [
            self._one(path, builtin=builtin)
            for path in paths
            if path.is_file() and not (builtin and path.name == SCHEMA)
        ]

    def _one(self, path: Path, *, builtin: bool) -> Workflow | BrokenWorkflow:
        try:
            stat = path.stat()
            stamp = (stat.st_mtime_ns, stat.st_size)
            if path not in self._read or self._read[path][0] != stamp:
                self._read[path] = (stamp, _workflow(path, builtin=builtin))
            return self._read[path][1]
        except InvalidInput as error:
            broken = BrokenWorkflow(path, error.message, error.hint)
            self._read[path] = (stamp, broken)
            return broken
        except OSError as error:  # gone, or not readable, since the folder was listed
            return BrokenWorkflow(path, f"{path.name} cannot be read: {error.strerror}.", "Look at the file's rights.")


def load_workflow(name_or_path: str | Path, folder: Path = BUILTIN) -> dict[str, Any]:
    """Return a workflow file's content in the present schema, checked; a bare name is one of ours.

    Raise NotFound where there is no such file and InvalidInput where it is no workflow.
    """
    path = Path(name_or_path)
    if path.name == str(name_or_path):
        path = (folder / path.name).with_name(path.name if path.suffix == ".json" else f"{path.name}.json")
    if not path.is_file():
        raise NotFound(f"There is no workflow file {path.name}.", f"Put it into {path.parent}.")
    if not NAME.fullmatch(path.stem):
        raise InvalidInput(
            f"The workflow's file name {path.name!r} cannot be used.",
            "Name it with letters, digits, '-', '_' and '.', 64 at most, such as my-portrait.json.",
        )
    content = migrated(_json(path), path.name)
    _check(content, path.name)
    return content


def _json(path: Path) -> Any:
    if path.stat().st_size > MAX_BYTES:
        raise InvalidInput(f"{path.name} is too large for a workflow.", "Use the file that Export (API) writes.")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise InvalidInput(f"{path.name} is not valid JSON{where}.", "Export the workflow again.") from error


@cache
def _schema() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((BUILTIN / SCHEMA).read_text(encoding="utf-8"))
    return loaded


def _check(content: Mapping[str, Any], name: str) -> None:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    error = best_match(Draft202012Validator(_schema()).iter_errors(content))
    if error:
        where = f" at {'.'.join(str(part) for part in error.absolute_path)}" if error.absolute_path else ""
        unknown_family = list(error.absolute_path) == ["families"]
        raise InvalidInput(
            f"{name} is no valid workflow{where}: {error.message}.",
            STATE_FAMILY if unknown_family else "Correct the file.",
        )
    ids = [node["id"] for node in content["nodes"]]
    wrong = [f"two nodes have the id {key}" for key in sorted({key for key in ids if ids.count(key) > 1})]
    if not any(node["class_type"] in OUTPUTS for node in content["nodes"]):
        wrong.append(f"no node gives a picture out ({' or '.join(OUTPUTS)})")
    wrong += problems(content["nodes"])
    if wrong:
        raise InvalidInput(f"{name} cannot be used: {'; '.join(wrong)}.", "Correct the workflow and export it again.")


def _workflow(path: Path, *, builtin: bool) -> Workflow:
    content = load_workflow(path)
    return Workflow(
        id=path.stem,
        title=content["title"],
        task=content["task"],
        families=tuple(content["families"]),
        base_models=tuple(content.get("base_models", ())),
        defaults=content.get("defaults", {}),
        negative_prompt=content.get("negative_prompt", False),
        min_comfyui=content.get("min_comfyui", ""),
        nodes=tuple(content["nodes"]),
        builtin=builtin,
    )


def _hides(workflow: Workflow, ours: set[str]) -> bool:
    return not workflow.builtin and workflow.id in ours
