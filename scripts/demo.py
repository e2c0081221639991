"""The main job over the REST API: sample character, training, four pictures with the trigger word, identity scores."""

from __future__ import annotations

import argparse
import contextlib
import io
import math
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from own_app import ROOT, OwnApp, StartFailed
from PIL import Image, ImageDraw
from rest import Refused, Rest

from isengard.errors import IsengardError
from isengard.plugins.protocols import FaceAnalyzer, PluginContext
from plugins.faces import backends

SETTINGS = ("in a library", "on a beach", "in a garden", "at night under neon light")
SEED = 7
TILE, GAP = 192, 8
Vector = tuple[float, ...]


def main() -> int:
    """Do it all; return 0, or 1 after saying what went wrong."""
    options = _arguments()
    volume = options.volume or Path(tempfile.mkdtemp(prefix="isengard-demo-")) / "volume"
    try:
        with contextlib.ExitStack() as stack:
            if options.url:
                url = options.url
            else:
                with step("Starting Isengard"):
                    url = stack.enter_context(OwnApp(volume.resolve())).url
            return Demo(Rest(url), options).run()
    except (Refused, StartFailed, IsengardError, TimeoutError, httpx.TransportError, OSError) as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        return 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="a running Isengard; without it, one is started and ended again")
    parser.add_argument("--volume", type=Path, help="folder of the started one (default: a new temporary folder)")
    parser.add_argument("--out", type=Path, help="where copies of the pictures go (default: a new temporary folder)")
    parser.add_argument("--preset", choices=["quick", "balanced", "best"], default="balanced")
    parser.add_argument("--steps", type=int, help="training steps, in place of the preset's")
    return parser.parse_args()


@contextlib.contextmanager
def step(what: str) -> Iterator[None]:
    """Say what is done and how long it took."""
    print(f"{what} …", end="", flush=True)
    started = time.perf_counter()
    yield
    print(f"\r\033[K{what:<58} {time.perf_counter() - started:7.1f} s" if sys.stdout.isatty() else _took(started))


def _took(started: float) -> str:
    return f" {time.perf_counter() - started:.1f} s"


def show(job: dict[str, Any]) -> None:
    """Draw a job's state on the terminal's present line; stay silent in a file."""
    if sys.stdout.isatty():
        loss = f"  loss {job['loss']:.3f}" if job.get("loss") is not None else ""
        print(f"\r\033[K  {job['progress']:5.1f} %  {job['message']}{loss}", end="", flush=True)


class Demo:
    """One run; every method is one thing a person would do."""

    def __init__(self, rest: Rest, options: argparse.Namespace) -> None:
        self.rest = rest
        self.options = options
        self.out: Path = options.out or Path(tempfile.mkdtemp(prefix="isengard-demo-pictures-"))
        self.out.mkdir(parents=True, exist_ok=True)
        context = PluginContext(ROOT, self.out, self.out, 600, lambda *_args, **_fields: None)
        self.analyzer: FaceAnalyzer = next(one for one in backends(context) if one.status().available)

    def run(self) -> int:
        """Make the character, train, generate, compare; return 0."""
        with step("Sample character"):
            character = self.rest.post("/api/characters/sample")
            references = self._references(character["id"])
        print(f"  {character['name']}, trigger word “{character['trigger_word']}”, {len(references)} pictures")
        with step("Training a LoRA"):
            trained = self._train(character["id"])
        with step("Four pictures with the trigger word"):
            with_lora = self._generate(character, 1.0)
        with step("The same four with LoRA strength 0"):
            without = self._generate(character, 0.0)
        self._report(trained, references, with_lora, without)
        return 0

    def _references(self, character_id: str) -> list[Path]:
        images = self.rest.get(f"/api/characters/{character_id}/images", params={"limit": 100})["items"]
        base = f"/api/characters/{character_id}/images"
        return [self._keep(f"{base}/{image['id']}/file?size=full", f"reference-{image['id']}") for image in images]

    def _keep(self, url: str, name: str) -> Path:
        picture = Image.open(io.BytesIO(self.rest.fetch(url))).convert("RGB")
        path = self.out / f"{name}.png"
        picture.save(path)
        return path

    def _train(self, character_id: str) -> dict[str, Any]:
        config: dict[str, Any] = {"method": "lora", "preset": self.options.preset}
        if self.options.steps:
            config["steps"] = self.options.steps
        job = self.rest.post("/api/training", json={"character_id": character_id, "config": config})
        done: dict[str, Any] = self.rest.wait(job, show, 3600)
        return done

    def _generate(self, character: dict[str, Any], strength: float) -> list[tuple[Path, dict[str, Any]]]:
        """Ask for all four at once, as four jobs, and wait for each."""
        jobs = []
        for number, setting in enumerate(SETTINGS):
            request = {
                "prompt": f"a picture of {character['trigger_word']} {setting}",
                "character_id": character["id"],
                "lora_strength": strength,
                "seed": SEED + number,
            }
            jobs.append(self.rest.post("/api/generation", json=request))
        made = []
        for number, job in enumerate(jobs):
            output = self.rest.wait(job, show, 600)["outputs"][0]
            made.append((self._keep(output["url"], f"strength-{strength:.0f}-{number + 1}"), output))
        return made

    def _report(
        self,
        trained: dict[str, Any],
        references: list[Path],
        with_lora: list[tuple[Path, dict[str, Any]]],
        without: list[tuple[Path, dict[str, Any]]],
    ) -> None:
        centroid = self._centroid(references)
        drawn = with_lora[0][1]["drawn"]
        scale = "drawings" if drawn else "photographs"
        print(f"\nHow alike to the character's own pictures (score 0 to 1 by the scale for {scale}; raw cosine)")
        print(f"  {'':<28}{'with LoRA':>18}{'strength 0':>18}")
        pairs = [
            (self._alike(a, centroid), self._alike(b, centroid))
            for (a, _), (b, _) in zip(with_lora, without, strict=True)
        ]
        for setting, pair in zip(SETTINGS, pairs, strict=True):
            print(f"  {setting:<28}" + "".join(f"{self._shown(cosine, drawn=drawn):>18}" for cosine in pair))
        means = [_mean([pair[column] for pair in pairs]) for column in (0, 1)]
        print(
            f"  {'mean of those with a face':<28}"
            + "".join(f"{self._shown(cosine, drawn=drawn):>18}" for cosine in means)
        )
        sheet = self._sheet(references, with_lora, without)
        root = self.rest.get("/info").get("volume_root", "")
        print(f"\nLoRA      {Path(root) / trained['output_path']}")
        for _, output in with_lora:
            print(f"picture   {Path(root) / output['path']}")
        print(f"copies    {self.out}\nat a look {sheet}")

    def _centroid(self, references: list[Path]) -> Vector | None:
        found = [faces[0].embedding for path in references if len(faces := self.analyzer.faces(path)) == 1]
        if not found:
            return None
        total = [sum(column) for column in zip(*found, strict=True)]
        length = math.hypot(*total) or 1.0
        return tuple(value / length for value in total)

    def _alike(self, picture: Path, centroid: Vector | None) -> float | None:
        faces = self.analyzer.faces(picture)
        if not faces or centroid is None:
            return None
        return sum(a * b for a, b in zip(faces[0].embedding, centroid, strict=True))

    def _shown(self, cosine: float | None, *, drawn: bool) -> str:
        if cosine is None:
            return "no face found"
        score = self.analyzer.drawn_score(cosine) if drawn else self.analyzer.score(cosine)
        return f"({cosine:.2f})" if score is None else f"{score:.2f} ({cosine:.2f})"

    def _sheet(self, references: list[Path], *rows: list[tuple[Path, dict[str, Any]]]) -> Path:
        """Draw references, pictures with and pictures without the LoRA, one row each."""
        labels = ("The character's own pictures", "Made with the LoRA", "Same prompt and seed, LoRA strength 0")
        grid = [references[: len(SETTINGS)], *([path for path, _ in row] for row in rows)]
        line = TILE + 24 + GAP
        sheet = Image.new("RGB", (GAP + len(SETTINGS) * (TILE + GAP), line * len(grid) + GAP), "white")
        pen = ImageDraw.Draw(sheet)
        for y, (label, pictures) in enumerate(zip(labels, grid, strict=True)):
            pen.text((GAP, y * line + 6), label, fill="black", font_size=14)
            for x, path in enumerate(pictures):
                tile = Image.open(path).resize((TILE, TILE), Image.Resampling.LANCZOS)
                sheet.paste(tile, (GAP + x * (TILE + GAP), y * line + 26))
        target = self.out / "sheet.png"
        sheet.save(target)
        return target


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


if __name__ == "__main__":
    sys.exit(main())
