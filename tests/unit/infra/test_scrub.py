"""Metadata goes, pixels stay: the same file format, every pixel equal, no trace of where or by whom."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image, ImageCms, PngImagePlugin

from isengard.errors import InvalidInput
from isengard.infra.pictures import check
from isengard.infra.scrub import scrub

PHOTO = Path(__file__).parents[2] / "photos" / "hopper.jpg"
SECRETS = (b"SECRETCAM", b"SECRETXMP", b"SECRETNOTE")
GPS, MAKE, ORIENTATION = 0x8825, 0x010F, 0x0112
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a>SECRETXMP</a></x:xmpmeta>'


def exif(orientation: int = 1) -> Image.Exif:
    made = Image.Exif()
    made[MAKE] = "SECRETCAM"
    made[ORIENTATION] = orientation
    made.get_ifd(GPS)[2] = (52.0, 31.0, 12.0)
    return made


def written(form: str, orientation: int = 1, **options: object) -> bytes:
    import pillow_heif

    pillow_heif.register_heif_opener()
    with Image.open(PHOTO) as photo:
        picture = photo.convert("RGB").resize((200, 120))
    if form == "PNG":
        notes = PngImagePlugin.PngInfo()
        notes.add_text("Author", "SECRETNOTE")
        notes.add_itxt("XML:com.adobe.xmp", XMP.decode())
        options["pnginfo"] = notes
    elif form == "JPEG":
        options |= {"comment": b"SECRETNOTE"}
    if form != "PNG":
        options["xmp"] = XMP
    sink = io.BytesIO()
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture.save(sink, form, exif=exif(orientation), icc_profile=profile, **options)
    return sink.getvalue()


def cleaned(content: bytes) -> bytes:
    found = check(content)
    return scrub(content, found.suffix, found.orientation)


def pixels(content: bytes) -> tuple[tuple[int, int], bytes]:
    shown = check(content).image
    return shown.size, shown.tobytes()


VARIANTS = {
    "jpeg": ("JPEG", {}),
    "progressive": ("JPEG", {"progressive": True, "quality": 60}),
    "restarts": ("JPEG", {"restart_marker_rows": 1}),
    "png": ("PNG", {}),
    "webp": ("WEBP", {"quality": 80}),
    "webp lossless": ("WEBP", {"lossless": True}),
    "avif": ("AVIF", {}),
    "heic": ("HEIF", {}),
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_metadata_goes_and_every_pixel_stays(variant: str, orientation: int) -> None:
    form, options = VARIANTS[variant]
    content = written(form, orientation, **options)
    assert any(secret in content for secret in SECRETS)
    clean = cleaned(content)
    assert not [secret for secret in SECRETS if secret in clean]
    assert pixels(clean) == pixels(content)
    with Image.open(io.BytesIO(clean)) as image:
        assert not dict(image.getexif().get_ifd(GPS))
        assert set(image.getexif()) <= {ORIENTATION}
        assert image.info.get("icc_profile")  # colours are pixels too


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_clean_file_stays_clean(variant: str) -> None:
    form, options = VARIANTS[variant]
    once = cleaned(written(form, 1, **options))
    assert pixels(cleaned(once)) == pixels(once)


def test_what_phones_hang_behind_a_photo_goes() -> None:
    content = written("JPEG") + b"\0\0\0\x18ftypmp42 a film with SECRETCAM inside"
    assert b"ftyp" not in cleaned(content)
    assert pixels(cleaned(content)) == pixels(content)


def test_a_photo_with_a_second_picture_inside_keeps_the_first() -> None:
    sink = io.BytesIO()
    with Image.open(PHOTO) as photo:
        first, second = photo.resize((200, 120)), photo.resize((100, 60))
    first.save(sink, "MPO", save_all=True, append_images=[second], exif=exif(6))
    clean = cleaned(sink.getvalue())
    with Image.open(io.BytesIO(clean)) as image:
        assert image.format == "JPEG"
    assert pixels(clean) == pixels(sink.getvalue())
    assert b"SECRETCAM" not in clean


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
@pytest.mark.parametrize(
    "content", [b"", b"\xff\xd8", b"\xff\xd8\xff\xda\0\2abc", b"\x89PNG\r\n\x1a\n\0\0\xff\xffIDAT"]
)
def test_a_file_of_a_strange_make_is_told(suffix: str, content: bytes) -> None:
    with pytest.raises((ValueError, IndexError)):
        scrub(content, suffix, 1)


def test_random_damage_never_hangs_and_never_shows_other_pixels() -> None:
    import random

    dice = random.Random(7)
    for form in ("JPEG", "PNG", "WEBP", "AVIF", "HEIF"):
        whole = written(form)
        suffix = {"JPEG": "jpg", "HEIF": "heic"}.get(form, form.lower())
        for _ in range(60):
            broken = bytearray(whole)
            for _ in range(4):
                broken[dice.randrange(len(broken) // 3)] = dice.randrange(256)
            try:
                scrub(bytes(broken), suffix, 1)
            except (ValueError, IndexError):
                continue


def test_what_is_refused_stays_refused() -> None:
    with pytest.raises(InvalidInput):
        cleaned(written("JPEG")[:500])
