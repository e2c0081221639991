"""Measures Isengard against its parts and its peers, and prints a table with targets and verdicts.

Close other programs first: the figures are ratios of one run where they can be, but not all can.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from figures import Figure, table
from machine import machine
from scope import Scope

SCRIPTS = Path(__file__).resolve().parents[1]
PARTS = {
    "queue": ("throughput", "no-op jobs a second against rq, arq and streaq on the same server"),
    "start": ("start_delay", "submit to start with a warm worker"),
    "up": ("start_up", "seconds to /health, idle memory, what is loaded"),
    "browser": ("browser_delay", "event to browser, in a real Chromium"),
    "training": ("training_overhead", "a training through Isengard over the same training called directly"),
    "aitoolkit": ("aitoolkit_overhead", "a training with AI-Toolkit's stand-in over the same one called directly"),
    "comfyui": ("comfyui_overhead", "pictures through Isengard over the same real ComfyUI driven directly; previews"),
    "faces": ("faces", "faces found and embedded a second over a plain detect-then-embed loop"),
    "images": ("image_overhead", "eight images through Isengard over the same images called directly"),
}


def main() -> int:
    """Run the chosen parts; return 0 when every target was met, 2 when not, 1 when a part failed."""
    options = _arguments()
    sys.path.insert(0, str(SCRIPTS))  # own_app and rest lie there
    where = machine()
    figures: list[Figure] = []
    failed: list[str] = []
    for name in options.only:
        print(f"isengard bench: {name}: {PARTS[name][1]} …", file=sys.stderr, flush=True)
        try:
            figures += _measured(name, quick=options.quick)
        except Exception as error:  # noqa: BLE001 - one part that fails must not hide the others' figures
            failed.append(f"{name}: {type(error).__name__}: {error}")
    print(_report(where, figures, failed))
    if options.json:
        record = {"machine": where, "quick": options.quick, "failed": failed, "figures": [_row(f) for f in figures]}
        options.json.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    if failed:
        return 1
    return 2 if any(figure.met is False for figure in figures) else 0


def _arguments() -> argparse.Namespace:
    parts = "\n".join(f"  {name:<9} {about}" for name, (_, about) in PARTS.items())
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description=__doc__,
        epilog=f"parts:\n{parts}\n\nExit status: 0 all targets met, 1 a part failed, 2 a target was missed.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", type=_names, default=list(PARTS), metavar="PART,…", help="only these parts")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions: a look, not a proof")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything, each sample included")
    return parser.parse_args()


def _names(text: str) -> list[str]:
    names = text.split(",")
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; choose from {', '.join(PARTS)}")
    return names


def _measured(name: str, *, quick: bool) -> list[Figure]:
    measure = import_module(PARTS[name][0]).measure
    with tempfile.TemporaryDirectory(prefix="isengard-bench-") as folder:
        found: list[Figure] = measure(Scope(quick, Path(folder)))
        return found


def _report(where: dict[str, str], figures: list[Figure], failed: list[str]) -> str:
    lines = [f"- {name}: {told}" for name, told in where.items()]
    lines += ["", table(figures)]
    lines += [f"\nFailed: {told}" for told in failed]
    return "\n".join(lines)


def _row(figure: Figure) -> dict[str, Any]:
    return {**asdict(figure), "samples": list(figure.samples), "met": figure.met}


if __name__ == "__main__":
    sys.exit(main())
