"""Every way to fail that is known is told by its cause, with a next step, and none passes for a success."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.aitoolkit.bench import Bench
from tests.aitoolkit.faults import FAULTS, Fault, inject


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_the_cause_is_named(fault: Fault, bench: Bench, tmp_path: Path) -> None:
    outcome = inject(fault, bench, tmp_path / "work")
    assert outcome.right, outcome
    assert not outcome.false_success
