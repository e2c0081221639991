"""Lays out the blind look: who of four people is the one on a LoRA's picture? The benchmark makes the pictures.

python -m scripts.pocket.blind --work build/pocket-benchmark

It writes sheets of rows, each with a LoRA's picture and a training picture of four characters, A to D, and the answers.
The picture is in another setting than the training picture of the same character beside it.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

from PIL import Image, ImageDraw

from scripts.pocket.faces import ROOT
from scripts.pocket.likeness import TRAINED

ROWS, ROWS_A_SHEET, CHOICES = 20, 5, "ABCD"
EDGE, GAP = 256, 24


def main() -> None:
    """Write the sheets and the answers."""
    given = _arguments()
    rng = random.Random(given.seed)
    characters = sorted(path.parent for path in given.work.glob("character-*/made-000.txt"))
    rows, answers = [], []
    for number in range(ROWS):
        right = characters[number % len(characters)]
        four = [right, *rng.sample([other for other in characters if other != right], len(CHOICES) - 1)]
        rng.shuffle(four)
        shown = [folder / f"{rng.randrange(TRAINED):02d}.png" for folder in four]
        here = _setting(shown[four.index(right)])
        elsewhere = [path for path in sorted(right.glob("made-*.png")) if _setting(path) != here]
        rows.append([rng.choice(elsewhere), *shown])
        answers.append(CHOICES[four.index(right)])
    for first in range(0, ROWS, ROWS_A_SHEET):
        _sheet(rows[first : first + ROWS_A_SHEET], first).save(given.work / f"blind-{first // ROWS_A_SHEET + 1}.png")
    (given.work / "blind-answers.json").write_text(json.dumps(answers) + "\n", encoding="utf-8")
    print(f"{given.work}/blind-*.png, and the answers beside them.")


def _setting(picture: Path) -> str:
    """Return where a picture was asked to be, from the caption beside it."""
    return picture.with_suffix(".txt").read_text(encoding="utf-8").split(" in ")[1].split(",")[0]


def _sheet(rows: list[list[Path]], before: int) -> Image.Image:
    """Return the rows, numbered from ``before`` + 1, under each other; the picture first, then A to D."""
    step = EDGE + GAP
    sheet = Image.new("RGB", ((1 + len(CHOICES)) * step + GAP, len(rows) * step), "white")
    pen = ImageDraw.Draw(sheet)
    for line, row in enumerate(rows):
        labels = f"{before + line + 1}", *CHOICES
        for place, (path, label) in enumerate(zip(row, labels, strict=True)):
            left, top = place * step + GAP * (place > 0), line * step + GAP
            pen.text((left + 4, top - 16), label, fill="black", font_size=14)
            sheet.paste(Image.open(path).convert("RGB").resize((EDGE, EDGE), Image.Resampling.LANCZOS), (left, top))
    return sheet


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "pocket-benchmark", help="the benchmark's folder")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
