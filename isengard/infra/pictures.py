"""Checks uploaded pictures, makes upright copies without metadata, and thumbnails."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from isengard.errors import InvalidInput

# Phones save a JPEG with a depth or brightness map behind it: Pillow calls that MPO and shows the JPEG first.
FORMATS = {"JPEG": "jpg", "MPO": "jpg", "PNG": "png", "WEBP": "webp", "AVIF": "avif", "HEIF": "heic"}
MAX_PIXELS = 64_000_000  # what the largest phone cameras of 2026 make in one shot is 50 million
MIN_EDGE = 64
MAX_ASPECT = 4.0
MAX_CURATED_EDGE = 2048
THUMB_EDGE = 320


@dataclass(frozen=True)
class Checked:
    """A picture that was decoded to its last row: RGB, upright, at most 2048 px on its longer edge."""

    image: Image.Image
    suffix: str
    width: int
    height: int


def check(data: bytes) -> Checked:
    """Decode and check an upload; raise InvalidInput with a hint a person can act on."""
    _register_heif()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return _check(data)
    except UnidentifiedImageError as error:
        raise InvalidInput("This is not a picture that Isengard can read.", f"Use {_list_formats()}.") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels() from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise InvalidInput(
            "The picture is damaged or cut off.", "Open it on your computer, save it again, and upload the new file."
        ) from error


def _check(data: bytes) -> Checked:
    image = Image.open(io.BytesIO(data))
    if image.format not in FORMATS:
        raise InvalidInput(f"{image.format} pictures are not used for training.", f"Use {_list_formats()}.")
    suffix = FORMATS[image.format]
    _check_size(image)
    image.load()
    upright = ImageOps.exif_transpose(image)
    rgb = _to_rgb(upright)
    width, height = rgb.size
    rgb.thumbnail((MAX_CURATED_EDGE, MAX_CURATED_EDGE), Image.Resampling.LANCZOS)
    return Checked(Image.frombytes("RGB", rgb.size, rgb.tobytes()), suffix, width, height)


def _check_size(image: Image.Image) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise _too_many_pixels()
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        raise InvalidInput("This is an animation.", "Upload single pictures; save the frame you want as PNG.")
    if min(width, height) < MIN_EDGE:
        raise InvalidInput(
            f"The picture is only {width} x {height} pixels.", f"Use pictures of at least {MIN_EDGE} pixels a side."
        )
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise InvalidInput(
            f"The picture is a panorama of {width} x {height} pixels.", "Crop it to the person; 1:1 to 2:3 works best."
        )


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info:
        layer = image.convert("RGBA")
        backdrop = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(backdrop, layer).convert("RGB")
    if image.mode.startswith("I") or image.mode == "F":
        return ImageOps.autocontrast(image.convert("F").point(lambda v: v / 257).convert("L")).convert("RGB")
    return image.convert("RGB")


def _too_many_pixels() -> InvalidInput:
    return InvalidInput(
        f"The picture has more than {MAX_PIXELS // 1_000_000} million pixels.",
        "Make it smaller; 2048 pixels are enough.",
    )


def _list_formats() -> str:
    return "JPEG, PNG, WebP, AVIF or HEIC"


def _register_heif() -> None:
    from pillow_heif import register_heif_opener  # a 10 MB library, needed on upload only

    register_heif_opener()


def thumbnail(source: Path, target: Path) -> None:
    """Write a WebP of at most 320 px on its longer edge."""
    with Image.open(source) as image:
        small = image.convert("RGB")
        small.thumbnail((THUMB_EDGE, THUMB_EDGE), Image.Resampling.LANCZOS)
        small.save(target, "WEBP", quality=82)
