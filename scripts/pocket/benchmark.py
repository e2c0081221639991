"""Measures the pocket model through the app's own engine and prints the figures of its model card.

python -m scripts.pocket.benchmark                                       all of it: about 20 minutes on two cores
python -m scripts.pocket.benchmark --model other --judge plugins/diffusers/pocket    two models, one classifier
python -m scripts.pocket.benchmark --prompts 4 --seeds 1 --characters 1  a first look
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from scripts.pocket.adherence import Adherence, check
from scripts.pocket.classifier import ASKED, Classifier
from scripts.pocket.engine import Studio
from scripts.pocket.faces import ROOT
from scripts.pocket.intervals import Measured, measured
from scripts.pocket.likeness import Likeness, compare

SPEED_TRIES = 5
KEPT = ("setting", "hair")  # what a LoRA must leave alone where its trigger word is not said
TOGETHER = (("setting", "light"), ("hair", "skin", "glasses", "gender"), ("style", "pose", "expression"))


def main() -> None:
    """Measure, print a table, write JSON."""
    given = _arguments()
    given.work.mkdir(parents=True, exist_ok=True)
    runs = given.work / "runs"
    shutil.rmtree(runs, ignore_errors=True)
    classifier = Classifier(given.judge or given.model, given.work, given.drawings, given.classifier_steps)
    studio = Studio(given.model, runs)
    try:
        adherence = check(studio, classifier, given.prompts, given.seeds)
        speed = _speed(studio)
        size = given.likeness_prompts, given.likeness_seeds
        likeness = compare(studio, classifier, given.work, given.characters, size, given.preset)
        plain = check(studio, classifier, *size) if given.characters else Adherence()
    finally:
        studio.close()
    rows = _adherence_rows(adherence, classifier) + _likeness_rows(likeness, plain)
    print(_table(rows, speed))
    given.json.write_text(json.dumps(_record(rows, speed, given), indent=2) + "\n", encoding="utf-8")


Row = tuple[str, Measured, bool, str]  # what, how much, whether it is a share, and a remark


def _adherence_rows(adherence: Adherence, classifier: Classifier) -> list[Row]:
    shares = adherence.shares()
    rows: list[Row] = []
    for names in TOGETHER:
        remark = f"the worst of them: {min(names, key=lambda name: shares[name].mean)}"
        every = [group for name in names for group in adherence.hits[name]]
        rows.append((f"{', '.join(names)} shown", measured(every), True, remark))
    for name in ASKED:
        remark = f"on drawings the classifier itself is right in {100 * classifier.accuracy[name]:.1f} %"
        rows.append((f"{name} shown", shares[name], True, remark))
    rows.append(("exactly one face found at 0.8", measured(adherence.one_face), True, ""))
    return rows


def _likeness_rows(likeness: Likeness, plain: Adherence) -> list[Row]:
    rows: list[Row] = [
        ("likeness with the trigger word (cosine)", measured(likeness.triggered), False, "to held-out drawings"),
        ("likeness gained by the trigger word", measured(likeness.gains), False, "same prompts and seeds"),
        ("likeness, as a share of what can be reached", measured(likeness.shares), True, "own drawings to each other"),
        ("exactly one face found with the trigger word", measured(likeness.faces), True, ""),
        ("LoRA training, seconds", measured(likeness.seconds), False, "12 pictures"),
    ]
    for name in KEPT:
        alone = measured(plain.hits[name])
        kept = [[sum(sum(g) for g in one.hits[name]) / _count(one, name)] for one in likeness.untriggered]
        relative = [[value / alone.mean] for (value,) in kept if alone.values and alone.mean]
        rows.append((f"{name} kept without the trigger word, LoRA on", measured(relative), True, "of the base's own"))
    return rows


def _count(adherence: Adherence, name: str) -> int:
    return max(1, sum(len(group) for group in adherence.hits[name]))


def _speed(studio: Studio) -> dict[str, float]:
    """Time one picture and four at once with a warm engine, in seconds; the medians."""
    taken = {}
    for count in (1, 4):
        tries = []
        for _ in range(SPEED_TRIES):
            started = time.monotonic()
            studio.pictures(["a woman in a park"] * count)
            tries.append(time.monotonic() - started)
        taken[f"pictures_{count}_seconds"] = statistics.median(tries)
    return taken


def _table(rows: list[Row], speed: dict[str, float]) -> str:
    lines = ["| what | measured, 95 % interval | values | remark |", "|---|---|---|---|"]
    for what, value, share, remark in rows:
        lines.append(f"| {what} | {value.words(percent=share)} | {value.values} | {remark} |")
    for name, seconds in speed.items():
        lines.append(f"| {name.replace('_', ' ')} | {seconds:.2f} | 1 | warm engine |")
    return "\n".join(lines)


def _record(rows: list[Row], speed: dict[str, float], given: argparse.Namespace) -> dict[str, Any]:
    sizes = {name: getattr(given, name) for name in ("prompts", "seeds", "characters", "preset", "drawings")}
    measures = {what: {**asdict(value), "remark": remark} for what, value, _, remark in rows if value.values}
    return {"sizes": sizes, "measures": measures, "speed": speed}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    work = ROOT / "build" / "pocket-benchmark"
    parser.add_argument("--model", type=Path, default=ROOT / "plugins" / "diffusers" / "pocket")
    parser.add_argument("--judge", type=Path, help="model on whose latents the classifier looks; --model, if left out")
    parser.add_argument("--work", type=Path, default=work, help="folder for pictures and LoRAs")
    parser.add_argument("--json", type=Path, default=work / "figures.json", help="where the figures go")
    parser.add_argument("--prompts", type=int, default=32)
    parser.add_argument("--seeds", type=int, default=3, help="pictures of each prompt")
    parser.add_argument("--characters", type=int, default=6, help="LoRAs to train")
    parser.add_argument("--likeness-prompts", type=int, default=16, help="prompts for each character")
    parser.add_argument("--likeness-seeds", type=int, default=2, help="pictures of each of them")
    parser.add_argument("--preset", choices=("quick", "balanced", "best"), default="balanced")
    parser.add_argument("--drawings", type=int, default=6000, help="that the classifier learns from")
    parser.add_argument("--classifier-steps", type=int, default=3000)
    return parser.parse_args()


if __name__ == "__main__":
    main()
