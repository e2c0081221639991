"""What does the pocket model make of photographs? Trains on eight cuts of four public-domain ones, and shows it.

python -m scripts.pocket.photographs

It writes one sheet: the cuts, then pictures with the trigger word, then the same prompts and seeds without it; and it
prints how alike they are to the photographs. No package carries eight free photographs of one person; hence the cuts.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from scripts.doctor.photographs import photographs
from scripts.pocket.engine import Studio
from scripts.pocket.faces import ROOT, analyzer, the_one_face

TRIGGER, NOBODY = "ohwx person", "a person"
SHOWN = {  # each photograph in the model's own words, without the person
    "obama-1": "smiling, wearing a navy suit in an office, studio lighting",
    "obama-2": "surprised, wearing a black suit in a studio, dramatic lighting",
    "obama-3": "wearing a black suit in an office, natural light",
    "obama-4": "smiling, wearing a black suit in a park, natural light",
}
CUTS = {"headshot": 3.2, "close-up": 1.9}  # edge of the square, in heights of the face
ASKED = (
    "wearing a white t-shirt on a beach, golden hour light, headshot",
    "smiling, wearing a green sweater in a park, natural light, headshot",
    "wearing a red hoodie in a forest, natural light, portrait",
    "laughing, wearing a navy suit in an office, studio lighting, close-up",
    "wearing a grey jacket in a cafe, night lighting, headshot",
    "smiling, wearing a blue shirt and tie in a studio, studio lighting, headshot",
    "surprised, wearing a yellow t-shirt on a beach, natural light, close-up",
    "wearing a black turtleneck in a cafe, neon lighting, headshot",
)
EDGE, GAP = 160, 8


def main() -> None:
    """Train, draw, measure, and write the sheet."""
    given = _arguments()
    shutil.rmtree(given.work, ignore_errors=True)
    given.work.mkdir(parents=True)
    studio = Studio(given.model, given.work / "runs")
    try:
        cuts = _cuts(given.work)
        lora, seconds = studio.train([(path, text) for path, text in cuts.items()], TRIGGER, "balanced")
        said, unsaid = (studio.pictures([f"a photo of {who} {p}" for p in ASKED], lora) for who in (TRIGGER, NOBODY))
    finally:
        studio.close()
    _sheet([list(cuts), said, unsaid]).save(given.sheet, quality=85)
    print(f"trained on {len(cuts)} cuts of {len(SHOWN)} photographs in {seconds:.0f} s; sheet: {given.sheet}")
    for name, pictures in (("with the trigger word", said), ("without it", unsaid)):
        print(f"{name}: {_likeness(pictures, list(cuts))}")


def _cuts(work: Path) -> dict[Path, str]:
    """Return squares about the face of each photograph, with their captions."""
    faces, made = analyzer(), dict[Path, str]()
    for photo in photographs():
        if photo.name not in SHOWN:
            continue
        left, top, width, height = max(faces.faces(photo.path), key=lambda face: face.box[3]).box
        with Image.open(photo.path) as image:
            for pose, heights in CUTS.items():
                half = min(heights * height, *image.size) / 2
                x = min(max(left + width / 2, half), image.width - half)
                y = min(max(top + height * 0.7, half), image.height - half)
                path = work / f"{photo.name}-{pose}.png"
                image.crop((round(x - half), round(y - half), round(x + half), round(y + half))).save(path)
                made[path] = f"a photo of {TRIGGER}, {SHOWN[photo.name]}, {pose}"
    return made


def _likeness(pictures: list[Path], own: list[Path]) -> str:
    faces = analyzer()
    known = [face.embedding for path in own if (face := the_one_face(faces, path))]
    found = [face.embedding for path in pictures if (face := the_one_face(faces, path))]
    if not found:
        return f"no face in {len(pictures)} pictures"
    cosine = float(np.mean(np.asarray(found) @ np.asarray(known).T))
    return f"one face in {len(found)} of {len(pictures)}, mean cosine to the photographs {cosine:.2f}"


def _sheet(rows: list[list[Path]]) -> Image.Image:
    step = EDGE + GAP
    sheet = Image.new("RGB", (len(ASKED) * step + GAP, len(rows) * step + GAP), "white")
    for line, row in enumerate(rows):
        for place, path in enumerate(row):
            with Image.open(path) as image:
                sheet.paste(ImageOps.fit(image.convert("RGB"), (EDGE, EDGE)), (GAP + place * step, GAP + line * step))
    return sheet


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=ROOT / "plugins" / "diffusers" / "pocket")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "pocket-photographs", help="made anew")
    parser.add_argument("--sheet", type=Path, default=ROOT / "build" / "pocket-photographs.jpg")
    return parser.parse_args()


if __name__ == "__main__":
    main()
