"""Inject every known failure into the stand-in for AI-Toolkit and count the causes named and the false successes."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from own_app import ROOT

sys.path.insert(0, str(ROOT))
from tests.aitoolkit.bench import Bench
from tests.aitoolkit.faults import FAULTS, inject


def main() -> int:
    """Do it; return 0 when every cause was named and nothing passed for a success."""
    right = false = 0
    for fault in FAULTS:
        with tempfile.TemporaryDirectory(prefix="isengard-faults-") as folder:
            outcome = inject(fault, Bench(Path(folder) / "house"), Path(folder) / "work")
        right += outcome.right
        false += outcome.false_success
        print(f"{'right' if outcome.right else 'WRONG'}  {fault.name:48}  {outcome.told}\n{'':57}{outcome.hint}")
    print(f"{len(FAULTS)} injected failures, {right} right causes named, {false} false successes")
    return int(right < len(FAULTS) or false > 0)


if __name__ == "__main__":
    sys.exit(main())
