"""Every kind of defect, as a change to a picture, a caption or a whole set."""

from __future__ import annotations

import io
import random

from PIL import Image, ImageEnhance, ImageFilter

from isengard.plugins.protocols import Face
from scripts.doctor.sets import TRIGGER, Entry, Set

TRAITS = ("long blonde hair", "green eyes", "a short beard", "freckles", "pale skin", "curly red hair")


def blurred(entry: Entry, face: Face, rng: random.Random) -> None:
    """Blur all of it, by 2.5 to 4 % of the face."""
    entry.image = entry.image.filter(ImageFilter.GaussianBlur(face.box[2] * rng.uniform(0.025, 0.04)))


def small(entry: Entry, face: Face, rng: random.Random) -> None:
    """Show the person far away: much smaller, in a wide picture of one's surroundings."""
    image, high = entry.image, rng.uniform(46, 70)  # pixels of a face
    backdrop = image.resize((24, 24)).filter(ImageFilter.GaussianBlur(3)).resize((1600, 1100), Image.Resampling.BICUBIC)
    figure = _scaled(image, high / face.box[3])
    backdrop.paste(figure, (round(700 + rng.uniform(-200, 200)), 420))
    entry.image = backdrop


def cut(entry: Entry, face: Face, rng: random.Random) -> None:
    """Put the edge of the picture through the face."""
    x, _, width, _ = (round(value) for value in face.box)
    image = entry.image
    share = rng.uniform(0.68, 0.8)
    if rng.random() < 0.5:
        entry.image = image.crop((0, 0, round(x + share * width), image.height))
    else:
        entry.image = image.crop((round(x + (1 - share) * width), 0, image.width, image.height))


def beside_training(entry: Entry, _face: Face, rng: random.Random) -> None:
    """Set the person at the side of a panorama, where a square from the middle does not reach."""
    image = entry.image
    wide = Image.new("RGB", (round(image.width * 2.6), image.height))
    wide.paste(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).filter(ImageFilter.GaussianBlur(20)).resize(wide.size))
    wide.paste(image, (0 if rng.random() < 0.5 else wide.width - image.width, 0))
    entry.image = wide


def with_company(entry: Entry, other: Image.Image) -> None:
    """Put somebody else beside the person."""
    height = entry.image.height
    beside = other.resize((round(other.width * height / other.height), height), Image.Resampling.LANCZOS)
    pair = Image.new("RGB", (entry.image.width + beside.width, height))
    pair.paste(entry.image, (0, 0))
    pair.paste(beside, (entry.image.width, 0))
    entry.image = pair


def copied(entry: Entry, rng: random.Random) -> Entry:
    """Return the same picture saved again, smaller."""
    scale = rng.uniform(0.6, 0.9)
    image = entry.image.resize(
        (round(entry.image.width * scale), round(entry.image.height * scale)), Image.Resampling.LANCZOS
    )
    return Entry(f"copy-of-{entry.name}", _as_jpeg(image, 80), entry.caption)


def nearly_copied(entry: Entry, rng: random.Random) -> Entry:
    """Return the same picture with other brightness and colour, cut by a hair."""
    image = ImageEnhance.Brightness(entry.image).enhance(rng.uniform(0.8, 1.2))
    image = ImageEnhance.Color(image).enhance(rng.uniform(0.6, 1.3))
    edge = max(1, round(0.006 * image.width))
    return Entry(f"like-{entry.name}", image.crop((edge, edge, image.width - edge, image.height - edge)), entry.caption)


def misspelt(entry: Entry, rng: random.Random) -> None:
    """Write the trigger word with one slip."""
    rare = TRIGGER.split()[0]
    place = rng.randrange(1, len(rare) - 1)
    wrong = rng.choice(
        [
            rare[:place] + rare[place + 1] + rare[place] + rare[place + 2 :],
            rare[:place] + rare[place + 1 :],
            rare[:place] + rng.choice("bdfgk") + rare[place + 1 :],
            rare[:place] + rng.choice("bdfgk") + rare[place:],
        ]
    )
    entry.caption = entry.caption.replace(rare, wrong)


def stuck(entry: Entry, rng: random.Random) -> None:
    """Write the trigger word as part of a longer word."""
    rare = TRIGGER.split()[0]
    wrong = rng.choice([f"{rare}s", f"{rare}person", f"the{rare} person", f"{rare}like person"])
    entry.caption = entry.caption.replace(TRIGGER, wrong)


def nameless(entry: Entry, rng: random.Random) -> None:
    """Leave the trigger word out."""
    entry.caption = entry.caption.replace(TRIGGER, rng.choice(["a person", "somebody", "a smiling person"]))


def described(entry: Entry, rng: random.Random) -> None:
    """Name what never changes."""
    entry.caption = f"{entry.caption}, with {rng.choice(TRAITS)}"


def repeated(pictures: Set, word: str) -> None:
    """Put one word into every caption."""
    for entry in pictures.entries:
        entry.caption = f"{entry.caption}, {word}"


def _scaled(image: Image.Image, scale: float) -> Image.Image:
    size = max(8, round(image.width * scale)), max(8, round(image.height * scale))
    return image.resize(size, Image.Resampling.LANCZOS)


def _as_jpeg(image: Image.Image, quality: int) -> Image.Image:
    sink = io.BytesIO()
    image.save(sink, "JPEG", quality=quality)
    return Image.open(sink).convert("RGB")
