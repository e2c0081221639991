"""Checks uploaded pictures, makes upright and cropped copies without metadata, and thumbnails."""

from __future__ import annotations

import hashlib
import io
import warnings
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from isengard.domain.dataset import Crop
from isengard.errors import InvalidInput

# Phones save a JPEG with a depth or brightness map behind it: Pillow calls that MPO and shows the JPEG first.
FORMATS = {"JPEG": "jpg", "MPO": "jpg", "PNG": "png", "WEBP": "webp", "AVIF": "avif", "HEIF": "heic"}
MAX_PIXELS = 64_000_000  # what the largest phone cameras of 2026 make in one shot is 50 million
MIN_EDGE = 64
ORIENTATION = 0x0112
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
    orientation: int = 1  # as Exif numbers it; the container's own turn, as in HEIC, is not part of it


def check(data: bytes, crop: Crop | None = None) -> Checked:
    """Decode, check and crop an upload; raise InvalidInput with a hint a person can act on."""
    _register_heif()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return _check(data, crop)
    except UnidentifiedImageError as error:
        raise InvalidInput("This is not a picture that Isengard can read.", f"Use {_list_formats()}.") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels() from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise InvalidInput(
            "The picture is damaged or cut off.", "Open it on your computer, save it again, and upload the new file."
        ) from error


def _check(data: bytes, crop: Crop | None) -> Checked:
    image = Image.open(io.BytesIO(data))
    if image.format not in FORMATS:
        raise InvalidInput(f"{image.format} pictures are not used for training.", f"Use {_list_formats()}.")
    suffix = FORMATS[image.format]
    _check_size(image)
    image.load()
    orientation = int(image.getexif().get(ORIENTATION) or 1)
    rgb = _to_rgb(ImageOps.exif_transpose(image))
    width, height = rgb.size
    if crop is not None:
        rgb = rgb.crop((crop.left, crop.top, crop.left + crop.width, crop.top + crop.height))
    rgb.thumbnail((MAX_CURATED_EDGE, MAX_CURATED_EDGE), Image.Resampling.LANCZOS)
    return Checked(Image.frombytes("RGB", rgb.size, rgb.tobytes()), suffix, width, height, orientation)


def upright_png(data: bytes) -> bytes:
    """Write a picture that was checked as PNG: every pixel, no metadata."""
    with Image.open(io.BytesIO(data)) as image:
        rgb = _to_rgb(ImageOps.exif_transpose(image))
    return png(Image.frombytes("RGB", rgb.size, rgb.tobytes()))


def check_crop(crop: Crop, width: int, height: int) -> None:
    """Raise InvalidInput for a crop that leaves the picture, or leaves too little of it."""
    if crop.left + crop.width > width or crop.top + crop.height > height:
        raise InvalidInput(f"The crop leaves the picture of {width} x {height} pixels.", "Keep it inside.")
    _check_shape(crop.width, crop.height, "crop")


def pixels_sha256(picture: Image.Image) -> str:
    """Return the hash of a picture's size and pixels, as hex digits."""
    digest = hashlib.sha256(f"{picture.mode} {picture.width}x{picture.height}\n".encode())
    digest.update(picture.tobytes())
    return digest.hexdigest()


def png(picture: Image.Image) -> bytes:
    """Encode without loss."""
    sink = io.BytesIO()
    picture.save(sink, "PNG", compress_level=4)
    return sink.getvalue()


def _check_size(image: Image.Image) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise _too_many_pixels()
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        raise InvalidInput("This is an animation.", "Upload single pictures; save the frame you want as PNG.")
    _check_shape(width, height, "picture")


def _check_shape(width: int, height: int, what: str) -> None:
    if min(width, height) < MIN_EDGE:
        raise InvalidInput(f"The {what} is only {width} x {height} pixels.", f"Use at least {MIN_EDGE} pixels a side.")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise InvalidInput(
            f"The {what} is a panorama of {width} x {height} pixels.", "Crop it to the person; 1:1 to 2:3 works best."
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
