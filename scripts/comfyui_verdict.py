"""Tries a ComfyUI checkout with Isengard and prints its row for the matrix in docs/comfyui-upgrades.md.

scripts/setup_backends makes the environment; ISENGARD_COMFYUI_DIR=CHECKOUT scripts/setup_backends comfyui
.venv/bin/python scripts/comfyui_verdict.py CHECKOUT
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SUITE = "tests/comfyui/live"
OF_WORKFLOWS = "test_the_server_has_all_that_a_workflow_uses"


def main() -> int:
    """Run the suite; return 0 when all of it passed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    checkout: Path = parser.parse_args().checkout.resolve()
    environment = {**os.environ, "ISENGARD_COMFYUI_DIR": str(checkout), "CI": "true"}
    subprocess.run([ROOT / "scripts" / "setup_backends", "comfyui"], env=environment, check=True)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-m", "comfyui", SUITE, "-q", f"--junitxml={report}"]
        subprocess.run(command, cwd=ROOT, env=environment, check=False)
        outcomes = _outcomes(report)
    print(_row(checkout, outcomes))
    return 1 if any(outcome != "passed" for _, outcome in outcomes) else 0


def _outcomes(report: Path) -> list[tuple[str, str]]:
    """Return name and outcome of each test; the report is our own pytest's."""
    cases = ET.parse(report).getroot().iter("testcase")  # noqa: S314
    return [(str(case.get("name")), "passed" if len(case) == 0 else case[0].tag) for case in cases]


def _row(checkout: Path, outcomes: list[tuple[str, str]]) -> str:
    version = re.search(r'"([^"]+)"', (checkout / "comfyui_version.py").read_text(encoding="utf-8"))
    workflows = [outcome for name, outcome in outcomes if name.startswith(OF_WORKFLOWS)]
    counts = Counter(outcome for _, outcome in outcomes)
    passed = sum(outcome == "passed" for outcome in workflows)
    whole = bool(outcomes) and counts["passed"] == len(outcomes)
    cells = [
        version[1] if version else "?",
        f"{passed} of {len(workflows)}",
        f"{counts['passed']} of {len(outcomes)}",
        "works" if whole else "**does not work**",
        ", ".join(name for name, outcome in outcomes if outcome != "passed"),
    ]
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    sys.exit(main())
