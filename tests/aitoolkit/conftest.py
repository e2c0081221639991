"""A bench for each test; the plan of the stand-in is forgotten afterwards."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.aitoolkit.bench import PLAN, Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    yield Bench(tmp_path / "house")
    os.environ.pop(PLAN, None)
