"""The stand-in repeats what was captured, and what it is given is whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from isengard.errors import BackendCrashed
from plugins.aitoolkit import watch
from tests.aitoolkit.bench import DOUBLE, PLAN, Bench

CAPTURED = Path(__file__).parent / "captured"


@pytest.mark.parametrize("name", sorted(path.stem for path in CAPTURED.glob("*.txt")))
def test_captured_output_is_repeated_byte_for_byte(name: str, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"replays": name}))
    environment = {**os.environ, PLAN: str(plan)}
    done = subprocess.run(
        [sys.executable, str(DOUBLE / "run.py"), "none"], env=environment, capture_output=True, check=True
    )
    assert done.stdout == (CAPTURED / f"{name}.txt").read_bytes()


def test_the_config_is_whole_and_every_key_is_known(bench: Bench, tmp_path: Path) -> None:
    bench.plan(at=1, code=1)
    with pytest.raises(BackendCrashed):
        list(bench.events(bench.run(tmp_path)))
    process = yaml.safe_load((tmp_path / "aitoolkit" / "training.yaml").read_text())["config"]["process"][0]
    assert process["train"]["lr"] == pytest.approx(1e-4)
    assert process["network"]["linear"] == 4
    assert process["save"]["max_step_saves_to_keep"] > 1000
    assert process["model"]["arch"] == "sd1"


def test_a_lost_answer_is_waited_for_an_hour_at_most() -> None:
    assert watch.SILENT_SECONDS == 3600
