"""Chooses the base model when a person does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from isengard.domain.base_model import BaseModelRow
from isengard.errors import BackendUnavailable, NotFound
from isengard.infra.gpu import Arbiter
from isengard.infra.sota import Registry
from isengard.plugins.registry import Plugins


@dataclass(frozen=True)
class BaseModelChoice:
    """Knows what is installed and what fits this machine."""

    registry: Registry
    plugins: Plugins
    arbiter: Arbiter

    def can_train(self, row: BaseModelRow) -> bool:
        """Tell whether some backend trains on it here."""
        return _works(self.plugins.training_for, row)

    def can_generate(self, row: BaseModelRow) -> bool:
        """Tell whether some backend generates with it here."""
        return _works(self.plugins.image_for, row)

    def for_training(self, wanted: str) -> BaseModelRow:
        """Return the named row, or the largest that this machine can train on; raise NotFound for a face model."""
        return self._named(wanted) if wanted else self._largest(self.can_train)

    def for_images(self, wanted: str) -> BaseModelRow:
        """Return the named row, or the largest that this machine can generate with."""
        return self._named(wanted) if wanted else self._largest(self.can_generate)

    def for_both(self, wanted: str) -> BaseModelRow:
        """Return the named row, or the largest that this machine can both train on and generate with."""
        return (
            self._named(wanted) if wanted else self._largest(lambda row: self.can_train(row) and self.can_generate(row))
        )

    def _named(self, model_id: str) -> BaseModelRow:
        row = self.registry.get(model_id)
        if row.kind != "base_model":
            raise NotFound(f"'{model_id}' is not a base model.", "Choose one of the list of /api/models.")
        return row

    def _largest(self, usable: Callable[[BaseModelRow], bool]) -> BaseModelRow:
        here = [row for row in self.registry.base_models() if usable(row)]
        fitting = [row for row in here if row.compatibility.min_vram_gb <= self.arbiter.vram_gb]
        if not fitting:
            raise BackendUnavailable(
                "No base model can be used on this machine.", "See /info and /api/models for what is missing."
            )
        return max(fitting, key=lambda row: row.compatibility.min_vram_gb)


def _works(find: Callable[[BaseModelRow], object], row: BaseModelRow) -> bool:
    try:
        find(row)
    except BackendUnavailable:
        return False
    return True
