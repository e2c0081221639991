"""Uploaded pictures: what is taken, what it becomes, and what is refused with which words."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from isengard.errors import InvalidInput
from isengard.infra.pictures import MAX_CURATED_EDGE, THUMB_EDGE, check, thumbnail

PHOTO = Path(__file__).parents[2] / "photos" / "ardern.jpg"
ORIENTATION, GPS, MAKE = 0x0112, 0x8825, 0x010F


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def refusal(content: bytes) -> str:
    with pytest.raises(InvalidInput) as told:
        check(content)
    assert told.value.hint
    return told.value.message


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def bomb(width: int, height: int) -> bytes:
    """A valid PNG of a few kilobytes that says it is huge."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(1_000_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


# --- refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"hello", b"%PDF-1.7\n", b"<svg xmlns='x'/>", b"\xff\xd8\xff", bytes(5000)])
def test_a_file_that_is_no_picture_is_refused(content: bytes) -> None:
    assert refusal(content) == "This is not a picture that Isengard can read."


@pytest.mark.parametrize("form", ["BMP", "TIFF", "GIF", "ICO", "PPM"])
def test_a_picture_of_another_type_is_refused_by_name(form: str) -> None:
    assert refusal(saved(Image.new("RGB", (96, 96)), form)) == f"{form} pictures are not used for training."


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "AVIF"])
@pytest.mark.parametrize("share", [0.6, 0.95])
def test_a_cut_off_picture_is_refused(form: str, share: float) -> None:
    whole = saved(Image.effect_noise((400, 300), 80).convert("RGB"), form)
    assert refusal(whole[: int(len(whole) * share)]).startswith(("The picture is damaged", "This is not a picture"))


@pytest.mark.parametrize("size", [(9000, 9000), (20_000, 20_000), (60_000, 60_000)])
def test_a_picture_bomb_is_refused_before_it_goes_off(size: tuple[int, int]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert refusal(bomb(*size)) == "The picture has more than 64 million pixels."


@pytest.mark.parametrize("size", [(10_000, 200), (200, 10_000), (401, 100)])
def test_a_panorama_is_refused(size: tuple[int, int]) -> None:
    assert f"panorama of {size[0]} x {size[1]}" in refusal(saved(Image.new("RGB", size), "JPEG"))


def test_a_stamp_is_refused() -> None:
    assert "only 63 x 80 pixels" in refusal(saved(Image.new("RGB", (63, 80)), "PNG"))


@pytest.mark.parametrize("form", ["PNG", "WEBP", "AVIF"])
def test_an_animation_is_refused(form: str) -> None:
    frames = [Image.new("RGB", (96, 96), colour) for colour in ("red", "green", "blue")]
    moving = saved(frames[0], form, save_all=True, append_images=frames[1:], duration=100)
    assert refusal(moving) == "This is an animation."


def test_an_animated_gif_is_refused() -> None:
    frames = [Image.new("P", (96, 96), colour) for colour in (1, 2)]
    assert "GIF" in refusal(saved(frames[0], "GIF", save_all=True, append_images=frames[1:]))


# --- taken -----------------------------------------------------------------------------------


def test_a_photo_is_taken_as_it_is() -> None:
    checked = check(PHOTO.read_bytes())
    with Image.open(PHOTO) as photo:
        assert checked.image.tobytes() == photo.convert("RGB").tobytes()
        assert (checked.width, checked.height) == photo.size
    assert checked.suffix == "jpg"


@pytest.mark.parametrize(
    ("form", "suffix"), [("JPEG", "jpg"), ("PNG", "png"), ("WEBP", "webp"), ("AVIF", "avif"), ("HEIF", "heic")]
)
def test_every_type_that_is_promised_is_read(form: str, suffix: str) -> None:
    import pillow_heif

    pillow_heif.register_heif_opener()
    with Image.open(PHOTO) as photo:
        checked = check(saved(photo, form))
        assert (checked.suffix, checked.image.size, checked.image.mode) == (suffix, photo.size, "RGB")
        small = (8, 8)
        there, here = (i.convert("L").resize(small).tobytes() for i in (checked.image, photo))
    assert max(abs(a - b) for a, b in zip(there, here, strict=True)) < 12


def test_a_phone_photo_with_a_second_picture_behind_it_is_a_photo() -> None:
    depth = Image.new("RGB", (200, 150), "grey")
    checked = check(saved(Image.new("RGB", (400, 300), "red"), "MPO", save_all=True, append_images=[depth]))
    assert (checked.suffix, checked.width, checked.height) == ("jpg", 400, 300)
    assert checked.image.getpixel((10, 10))[0] > 240


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_camera_s_orientation_is_applied(orientation: int) -> None:
    upright = Image.new("RGB", (120, 80), "black")
    upright.paste("white", (0, 0, 40, 40))  # top left
    lying = upright.copy()
    lying.getexif()[ORIENTATION] = {6: 8, 8: 6}.get(orientation, orientation)
    lying = ImageOps.exif_transpose(lying)  # as the sensor saw it
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    checked = check(saved(lying, "PNG", exif=exif))
    assert (checked.width, checked.height) == (120, 80)
    assert checked.image.getpixel((20, 20)) == (255, 255, 255)
    assert checked.image.getpixel((100, 60)) == (0, 0, 0)


def test_where_and_with_what_it_was_taken_is_not_passed_on() -> None:
    exif = Image.Exif()
    exif[MAKE] = "Camera of Zara"
    exif.get_ifd(GPS)[2] = (52.0, 31.0, 12.0)
    told = saved(Image.new("RGB", (96, 96)), "JPEG", exif=exif, comment=b"at home")
    assert Image.open(io.BytesIO(told)).getexif().get_ifd(GPS)
    curated = saved(check(told).image, "PNG")
    reopened = Image.open(io.BytesIO(curated))
    assert not reopened.getexif()
    assert not reopened.info
    assert b"Zara" not in curated


@pytest.mark.parametrize("mode", ["CMYK", "L", "1", "P", "YCbCr"])
def test_every_colour_mode_becomes_rgb(mode: str) -> None:
    form = "JPEG" if mode in {"CMYK", "YCbCr"} else "PNG"
    checked = check(saved(Image.new("RGB", (96, 96), "white").convert(mode), form))
    assert checked.image.mode == "RGB"
    assert min(checked.image.getpixel((50, 50))) > 250


def test_transparent_parts_become_white_not_black() -> None:
    clear = Image.new("RGBA", (96, 96), (0, 0, 0, 0))
    clear.paste((255, 0, 0, 255), (0, 0, 48, 96))
    for content in (saved(clear, "PNG"), saved(clear, "WEBP", lossless=True), saved(clear.quantize(), "PNG")):
        checked = check(content)
        assert checked.image.getpixel((80, 50)) == (255, 255, 255)
        assert checked.image.getpixel((10, 50)) == (255, 0, 0)


def test_sixteen_bits_keep_their_brightness_steps() -> None:
    deep = Image.new("I;16", (256, 96))
    deep.putdata([257 * x for _ in range(96) for x in range(256)])
    row = [check(saved(deep, "PNG")).image.getpixel((x, 50)) for x in (0, 128, 255)]
    assert row[0] == (0, 0, 0)
    assert 120 < row[1][0] < 136
    assert row[2] == (255, 255, 255)


def test_a_large_picture_is_made_smaller_and_says_how_large_it_was() -> None:
    checked = check(saved(Image.new("RGB", (4100, 2050)), "JPEG"))
    assert (checked.width, checked.height) == (4100, 2050)
    assert checked.image.size == (MAX_CURATED_EDGE, MAX_CURATED_EDGE // 2)


def test_a_thumbnail_is_a_small_webp(tmp_path: Path, encoded: Callable[..., bytes]) -> None:
    source, target = tmp_path / "a.png", tmp_path / "a.webp"
    source.write_bytes(encoded("PNG", (1000, 500)))
    thumbnail(source, target)
    with Image.open(target) as small:
        assert (small.format, small.size) == ("WEBP", (THUMB_EDGE, THUMB_EDGE // 2))
