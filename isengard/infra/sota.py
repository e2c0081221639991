"""The registry of models: ``sota/registry.yml`` is the only place that names them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import yaml
from pydantic import ValidationError

from isengard.domain.base_model import BaseModelRow, Source
from isengard.errors import InvalidInput, NotFound


class Registry:
    """Rows by id, in the order of the file."""

    def __init__(self, path: Path, project_root: Path, models: Path) -> None:
        self._project_root = project_root
        self._models = models
        self._rows = {row.id: row for row in read_registry(path)}
        self._digests: dict[tuple[str, int], str] = {}

    def rows(self) -> list[BaseModelRow]:
        """Return every row."""
        return list(self._rows.values())

    def base_models(self) -> list[BaseModelRow]:
        """Return the rows that pictures are made with."""
        return [row for row in self._rows.values() if row.kind == "base_model"]

    def get(self, model_id: str) -> BaseModelRow:
        """Return one row; raise NotFound."""
        try:
            return self._rows[model_id]
        except KeyError as error:
            names = ", ".join(row.id for row in self.base_models())
            raise NotFound(f"There is no base model called '{model_id}'.", f"Choose one of: {names}.") from error

    def source(self, row: BaseModelRow, source_id: str) -> Source:
        """Return one of a row's sources, its first for ''; raise NotFound."""
        for source in row.sources:
            if source_id in {"", source.id}:
                return source
        names = ", ".join(source.id for source in row.sources)
        raise NotFound(
            f"The registry knows no source '{source_id}' of {row.name}." if source_id else f"{row.name} has no source.",
            f"Choose one of: {names}." if names else "It ships with Isengard, or is put in place by hand.",
        )

    def folder(self, row: BaseModelRow) -> Path:
        """Where the weights of a diffusers-format model lie, or would lie."""
        return self._project_root / row.path if row.path else self._models / row.id

    def weights_sha256(self, row: BaseModelRow) -> str:
        """Hash over all weight files of the folder, in name order; '' when they are not here."""
        files = sorted(self.folder(row).glob("**/*.safetensors"))
        newest = max((f.stat().st_mtime_ns for f in files), default=0)
        key = (row.id, newest)
        if files and key not in self._digests:
            self._digests[key] = sha256_of(files)
        return self._digests.get(key, "")


def sha256_of(files: list[Path]) -> str:
    """SHA-256 over the contents of files, one after the other."""
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def read_registry(path: Path) -> list[BaseModelRow]:
    """Read and check the file; raise InvalidInput naming the first row that is wrong."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise InvalidInput(f"{path.name} is not valid YAML: {error}", "Correct the line it names.") from error
    rows = []
    for raw in content["models"]:
        try:
            rows.append(BaseModelRow.model_validate(raw))
        except ValidationError as error:
            raise InvalidInput(f"Row {raw.get('id', '?')} of {path.name}: {error}", "Correct that row.") from error
    return rows
