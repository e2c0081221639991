"""A real AI-Toolkit behind our own backend, with tiny models."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from isengard.domain.base_model import BaseModelRow
from tests.aitoolkit import tiny
from tests.aitoolkit.bench import ROOT, Bench, row_of


class Real(Bench):
    """As the bench of the stand-in; base models have weights."""

    def base(self, family: str = "sd15", name: str = "") -> BaseModelRow:
        """A row, and a tiny model with random weights."""
        row = row_of(family, name)
        link = self.models / row.id
        if not link.exists():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(tiny.make(family, tiny.CACHE))
        return row


@pytest.fixture(scope="session")
def real(missing: Callable[[str], NoReturn], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    checkout = Path(os.environ.get("ISENGARD_AITOOLKIT_DIR", ROOT / "ai-toolkit")).resolve()
    python = Path(os.environ.get("ISENGARD_AITOOLKIT_PYTHON", ROOT / ".venv-aitoolkit" / "bin" / "python")).absolute()
    bench = Real(tmp_path_factory.mktemp("real"), checkout, python)
    status = bench.training.status()
    if not status.available:
        missing(f"{status.reason} {status.hint}")
    os.environ["OMP_NUM_THREADS"] = "1"  # on a busy machine threads wait for each other most of the time
    yield bench
    os.environ.pop("OMP_NUM_THREADS", None)
