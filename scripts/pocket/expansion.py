"""Measures synthetic expansion with the pocket model: what it takes, what comes out, and whether training gains by it.

python -m scripts.pocket.expansion                          five characters: more than an hour on two free cores
python -m scripts.pocket.expansion --characters 1 --only expand    time and memory of one expansion

Each character is made up and drawn from seeds that the pocket model was not trained on: 5 drawings are its references,
4 others are never shown to anything but the measure. What is measured is kept in the work folder; a second run goes on.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any, Self

import numpy as np
import psutil

from scripts.pocket.engine import Studio
from scripts.pocket.faces import ROOT, analyzer
from scripts.pocket.intervals import measured
from scripts.pocket.likeness import CHARACTERS_SEED, TRAINED, TRIGGER, cosines, drawings, prompts_of
from scripts.pocket.world import random_identity

sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "scripts" / "benchmarks")]
from machine import machine  # noqa: E402 - scripts is no package
from own_app import OwnApp  # noqa: E402
from rest import Rest  # noqa: E402

REFERENCES = 5
FIRST = 50  # characters of the model's own benchmark come before
SAMPLE_SECONDS = 0.5
GB = 2**30
WAYS = ("references alone", "references and synthetic", "the same, references half of each batch")


def main() -> None:
    """Measure what is missing, print everything."""
    given = _arguments()
    for number in range(given.characters):
        folder = given.work / f"character-{number}"
        if not (folder / "expansion.json").exists():
            _write(folder / "expansion.json", _expanded(folder, FIRST + number, given.count))
        if given.only != "expand":
            for way in WAYS[: given.ways]:
                path = folder / f"{way.replace(' ', '-').replace(',', '')}.json"
                if not path.exists():
                    _write(path, _trained(folder, FIRST + number, way, given))
        print(f"character {number + 1} of {given.characters} is measured", flush=True)
    _report(given)


# --- what an expansion takes -----------------------------------------------------------------


def _expanded(folder: Path, number: int, count: int) -> dict[str, Any]:
    """Expand a character through an app of its own, over REST; return time, memory and what came out."""
    drawn = _drawn(folder, number)
    volume = folder / "volume"
    shutil.rmtree(volume, ignore_errors=True)
    with OwnApp(volume.resolve()) as app, Memory(app.pid) as memory:
        rest = Rest(app.url)
        character = rest.post("/api/characters", json={"name": f"Drawn {number}", "trigger_word": TRIGGER})
        files = [("files", (path.name, path.read_bytes(), "image/png")) for path, _, _ in drawn[:REFERENCES]]
        files += [("files", (f"{path.stem}.txt", text.encode(), "text/plain")) for path, text, _ in drawn[:REFERENCES]]
        rest.post(f"/api/characters/{character['id']}/images", files=files)
        started = time.monotonic()
        url = f"/api/characters/{character['id']}/synthetic"
        job = rest.post(url, json={"target_count": count, "source": "proto_lora"})
        done = rest.wait(job, lambda _job: None, 7200)
        seconds = time.monotonic() - started
        made = rest.get(url)
    _keep_accepted(folder, volume, character["id"], made)
    passed = [one for one in made["pictures"] if one["passed"]]
    threshold = made["thresholds"]["similarity_threshold"]
    coverage = {axis: list(values.values()) for axis, values in made["coverage"].items()}
    return {
        "said": done["message"],
        "seconds": round(seconds, 1),
        "processor_seconds": round(memory.processor, 1),
        "peak_gb": round(memory.peak / GB, 2),
        "counts": made["counts"],
        "one_face_and_alike": sum(
            one["scores"]["faces"] == 1 and one["scores"]["similarity"] >= threshold for one in passed
        ),
        "coverage_least_and_most": {axis: [min(values), max(values)] for axis, values in coverage.items()},
    }


def _keep_accepted(folder: Path, volume: Path, character_id: str, made: dict[str, Any]) -> None:
    target = folder / "synthetic"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for one in made["pictures"]:
        if one["passed"]:
            path = target / f"{one['id']}.png"
            shutil.copyfile(volume / "synthetic" / character_id / "images" / path.name, path)
            path.with_suffix(".txt").write_text(one["caption"], encoding="utf-8")


class Memory:
    """Peak of the resident memory of a process and all it started, and the processor time they used."""

    def __init__(self, pid: int) -> None:
        self.peak = 0
        self.processor = 0.0
        self._process = psutil.Process(pid)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_reason: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        used: dict[int, float] = {}
        while not self._over.wait(SAMPLE_SECONDS):
            total = 0
            for process in [self._process, *self._process.children(recursive=True)]:
                try:
                    times = process.cpu_times()
                    used[process.pid] = times.user + times.system
                    total += process.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            self.peak, self.processor = max(self.peak, total), sum(used.values())


# --- whether training gains by it ------------------------------------------------------------


def _trained(folder: Path, number: int, way: str, given: argparse.Namespace) -> dict[str, Any]:
    """Train one LoRA and compare what it draws with the held-out drawings."""
    drawn = _drawn(folder, number)
    own = [(path, text) for path, text, _ in drawn[:REFERENCES]]
    synthetic = [
        (path, path.with_suffix(".txt").read_text("utf-8")) for path in sorted((folder / "synthetic").glob("*.png"))
    ]
    dataset = {
        WAYS[0]: own,
        WAYS[1]: own + synthetic,
        WAYS[2]: own * max(1, round(len(synthetic) / len(own))) + synthetic,
    }[way]
    held_out = [embedding for _, _, embedding in drawn[TRAINED:]]
    shutil.rmtree(folder / "runs", ignore_errors=True)
    studio = Studio(ROOT / "plugins" / "diffusers" / "pocket", folder / "runs")
    try:
        lora, seconds = studio.train(dataset, TRIGGER, given.preset)
        made = folder / way.replace(" ", "-").replace(",", "")
        made.mkdir(exist_ok=True)
        found = cosines(studio, lora, held_out, prompts_of(TRIGGER, (given.prompts, given.seeds)), made)
    finally:
        studio.close()
    faces = analyzer()
    alike = [cosine for cosine in found if cosine is not None]
    return {
        "pictures": len(dataset),
        "seconds": round(seconds, 1),
        "cosine": alike,
        "score": [faces.score(cosine) for cosine in alike],
        "one_face": sum(cosine is not None for cosine in found) / len(found),
    }


def _drawn(folder: Path, number: int) -> list[tuple[Path, str, tuple[float, ...]]]:
    rng = random.Random(CHARACTERS_SEED + number)
    return drawings(random_identity(rng), rng, folder / "drawings")


# --- telling ---------------------------------------------------------------------------------


def _report(given: argparse.Namespace) -> None:
    for name, value in machine().items():
        print(f"{name}: {value}")
    folders = [given.work / f"character-{number}" for number in range(given.characters)]
    print("\n| character | accepted | made | one face, alike | seconds | processor seconds | peak GB | rejected |")
    print("|--:|--:|--:|--:|--:|--:|--:|---|")
    for number, folder in enumerate(folders):
        row = json.loads((folder / "expansion.json").read_text())
        counts = row["counts"]
        why = ", ".join(f"{value} {key.replace('_', ' ')}" for key, value in counts["rejected_by_reason"].items())
        figures = (row["one_face_and_alike"], row["seconds"], row["processor_seconds"], row["peak_gb"], why)
        print(f"| {number + 1} | {counts['passed']} | {counts['generated']} | " + " | ".join(map(str, figures)) + " |")
        print(f"  balance, least and most of a value: {row['coverage_least_and_most']}", file=sys.stderr)
    _compare(folders)


def _compare(folders: list[Path]) -> None:
    rows: dict[str, list[dict[str, Any]]] = {}
    for way in WAYS:
        paths = [folder / f"{way.replace(' ', '-').replace(',', '')}.json" for folder in folders]
        if all(path.exists() for path in paths):
            rows[way] = [json.loads(path.read_text()) for path in paths]
    if len(rows) < 2:
        return
    print("\n| trained on | cosine to held-out drawings | score | one face | characters better than alone |")
    print("|---|---|---|---|---|")
    alone = [float(np.mean(row["cosine"])) for row in rows[WAYS[0]]]
    for way, found in rows.items():
        means = [float(np.mean(row["cosine"])) for row in found]
        better = Counter(mean > base for mean, base in zip(means, alone, strict=True))[True]
        cosine, score = measured([row["cosine"] for row in found]), measured([row["score"] for row in found])
        face = float(np.mean([row["one_face"] for row in found]))
        against = "" if way == WAYS[0] else f"{better} of {len(means)}"
        print(f"| {way} | {cosine.words(percent=False)} | {score.words(percent=False)} | {face:.0%} | {against} |")
        if way != WAYS[0]:
            gain = measured([[mean - base] for mean, base in zip(means, alone, strict=True)])
            print(
                f"  gain in cosine over the references alone: {gain.words(percent=False)}, by character",
                file=sys.stderr,
            )


def _write(path: Path, value: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    partial.replace(path)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--work", type=Path, default=ROOT / "build" / "synthetic", help="folder of pictures and figures"
    )
    parser.add_argument("--characters", type=int, default=5)
    parser.add_argument("--count", type=int, default=50, help="pictures to accept")
    parser.add_argument("--only", choices=("expand",), help="measure expansions alone")
    parser.add_argument("--ways", type=int, default=len(WAYS), help="how many of the ways to train are compared")
    parser.add_argument("--preset", choices=("quick", "balanced", "best"), default="balanced")
    parser.add_argument("--prompts", type=int, default=16)
    parser.add_argument("--seeds", type=int, default=2, help="pictures of each prompt")
    return parser.parse_args()


if __name__ == "__main__":
    main()
