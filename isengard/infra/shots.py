"""Reads the shot catalogues of ``sota/shots.yml``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import ValidationError

from isengard.domain.catalogue import Catalogue
from isengard.errors import InvalidInput

USUAL = "photo"


@dataclass(frozen=True)
class Catalogues:
    """The file is small and read each time, so that a person's change counts at once."""

    path: Path

    def of_family(self, family: str) -> Catalogue:
        """Return the catalogue in the words of a model family; raise InvalidInput naming what is wrong in the file."""
        known = self._read()
        return known.get(family) or known[USUAL]

    def _read(self) -> dict[str, Catalogue]:
        try:
            content = yaml.safe_load(self.path.read_text(encoding="utf-8"))
            found = {name: Catalogue.model_validate(value) for name, value in content.items()}
        except (OSError, AttributeError, yaml.YAMLError, ValidationError) as error:
            raise InvalidInput(f"{self.path.name} cannot be used: {error}", "Correct the file.") from error
        if USUAL not in found:
            raise InvalidInput(f"{self.path.name} lacks the entry '{USUAL}'.", "Put it back.")
        return found
