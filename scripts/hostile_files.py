"""Files that mean harm: generated from a seed, each with the name that it is sent under."""

from __future__ import annotations

import io
import json
import pickle
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from PIL import Image

MARK = "zq9x"  # in every name and every payload: whatever turns up outside the volume, or is served, has it
SCRIPT = f"<script>{MARK}(document.cookie)</script>".encode()
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="' + MARK.encode() + b'(1)"><script>1</script></svg>'
FORMS = ("JPEG", "PNG", "WEBP", "AVIF")
ENDINGS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "AVIF": "avif", "GIF": "gif", "BMP": "bmp", "TIFF": "tiff"}


@dataclass(frozen=True)
class Hostile:
    """What is sent, under which name, and where to: ``images``, ``start`` or ``loras``."""

    kind: str
    name: str
    content: bytes
    to: str = "images"


class Bad:
    """Runs something when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        """Write a file that would be found."""
        return print, (MARK,)


@cache
def picture(form: str, edge: int = 96, tint: int = 0) -> bytes:
    """Return a sound picture."""
    image = Image.merge(
        "RGB", [Image.linear_gradient("L").resize((edge, edge)), *(Image.new("L", (edge, edge), tint),) * 2]
    )
    sink = io.BytesIO()
    image.save(sink, form)
    return sink.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    """Return a PNG chunk."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@cache
def packed(size: int) -> bytes:
    """Return so many zeros, compressed to a thousandth."""
    return zlib.compress(bytes(size))


def png(width: int, height: int, rows: bytes, *more: bytes) -> bytes:
    """Return a PNG of packed rows that says of itself what it is told to."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(more) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def cut_off(draw: random.Random) -> Hostile:
    """End in the middle."""
    form = draw.choice(FORMS)
    whole = picture(form)
    return Hostile("cut off", f"{MARK}.{ENDINGS[form]}", whole[: draw.randrange(len(whole))])


def flipped(draw: random.Random) -> Hostile:
    """Have some bytes wrong."""
    form = draw.choice(FORMS)
    body = bytearray(picture(form))
    for _ in range(draw.randrange(1, 40)):
        body[draw.randrange(len(body))] = draw.randrange(256)
    return Hostile("flipped", f"{MARK}.{ENDINGS[form]}", bytes(body), draw.choice(("images", "start")))


def polyglot(draw: random.Random) -> Hostile:
    """Be a picture and something else as well."""
    form = draw.choice(FORMS)
    base = picture(form, 96, draw.randrange(256))
    comment = b"\xff\xfe" + struct.pack(">H", len(SCRIPT) + 2) + SCRIPT
    text = chunk(b"tEXt", b"Comment\0" + SCRIPT)
    body = draw.choice(
        [
            base + SCRIPT,
            base + zipped([(f"../{MARK}.html", SCRIPT)]),
            base + b"%PDF-1.7\n" + SCRIPT,
            base[:2] + comment + base[2:] if form == "JPEG" else base + SVG,
            base[:33] + text + base[33:] if form == "PNG" else base + pickle.dumps(Bad()),
            b"GIF89a/*" + SCRIPT + b"*/=1;" + base,
        ]
    )
    ending = draw.choice(["jpg", "png", "html", "svg", "jpg.html", "php"])
    return Hostile("polyglot", f"{MARK}.{ending}", body, draw.choice(("images", "start")))


def bomb(draw: random.Random) -> Hostile:
    """Be small and become large."""
    edge = draw.choice([9_000, 30_000, 65_535, 2**31 - 1])
    zeros = packed(30_000_000)
    body = draw.choice(
        [
            png(edge, edge, packed(1_000_000)),
            png(7_900, 7_900, packed(2_000_000)),
            png(96, 96, packed(28_000), chunk(b"iCCP", b"x\0\0" + zeros)),
            png(96, 96, packed(28_000), chunk(b"zTXt", b"x\0\0" + zeros), chunk(b"iTXt", b"x\0\1\0\0\0" + zeros)),
            picture("JPEG").replace(struct.pack(">HH", 96, 96), struct.pack(">HH", edge % 65_536, edge % 65_536), 1),
            b"RIFF" + struct.pack("<I", 40) + b"WEBPVP8X" + struct.pack("<I", 10) + b"\0" * 4 + b"\xff" * 6 + bytes(16),
        ]
    )
    return Hostile("bomb", f"{MARK}.png", body, draw.choice(("images", "start")))


def disguised(draw: random.Random) -> Hostile:
    """Be no picture at all."""
    form = draw.choice(["GIF", "BMP", "TIFF"])
    body = draw.choice(
        [
            *(
                SVG,
                b"<!doctype html>" + SCRIPT,
                b"\x7fELF" + bytes(200),
                pickle.dumps(Bad()),
                b"",
                b"\0",
                b"MZ" + SCRIPT,
            ),
            draw.randbytes(draw.randrange(1, 5000)),
            b'<?xml version="1.0"?><!DOCTYPE x SYSTEM "file:///etc/passwd">' + SVG,
            b"%!PS\n(" + MARK.encode() + b") run",
            b"push graphic-context\nimage over 0,0 0,0 '|touch x'",
            picture(form),
        ]
    )
    ending = draw.choice(["jpg", "png", "webp", "avif", "heic", "svg", "html", "txt", "zip"])
    return Hostile("disguised", f"{MARK}.{ending}", body, draw.choice(("images", "start")))


def named(draw: random.Random) -> Hostile:
    """Have a name that leads elsewhere."""
    name = draw.choice(
        [
            f"../../../../../../tmp/{MARK}.jpg",
            f"/etc/{MARK}.jpg",
            f"..\\..\\..\\{MARK}.jpg",
            f"C:\\Windows\\{MARK}.jpg",
            f"%2e%2e%2f%2e%2e%2f{MARK}.jpg",
            f"....//....//{MARK}.jpg",
            f"{MARK}\0.jpg",
            f"{MARK}.jpg\0.html",
            f"{MARK}\r\nX-Evil: 1.jpg",
            f"\u202egpj.{MARK}.exe",
            f"{MARK}{'a' * 5000}.jpg",
            f'"><img src=x onerror={MARK}()>.jpg',
            f"$(touch {MARK}).jpg",
            f";touch {MARK};.jpg",
            f"CON.{MARK}.jpg",
            f".{MARK}",
            f"file:///tmp/{MARK}.jpg",
            f"\ufeff{MARK}\ud7ff\U0001f600.jpg",
            f"{{{{7*7}}}}{MARK}.jpg",
            ".." + f"/{MARK}/..",
        ]
    )
    return Hostile("name", name, picture("JPEG", 96, draw.randrange(256)) + draw.randbytes(4))


def zipped(files: list[tuple[str, bytes]], mode: int = 0, compress: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip with these names as they stand."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", compress) as archive:
        for name, content in files:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            archive.writestr(entry, content, compress)
    return sink.getvalue()


@cache
def exploding() -> bytes:
    """Return a zip of a file that becomes sixty million bytes."""
    return zipped([(f"{MARK}.jpg", bytes(60_000_000))])


@cache
def crowded() -> bytes:
    """Return a zip of more files than are read."""
    return zipped([(f"{MARK}{number}.jpg", b"x") for number in range(2_100)])


def archive(draw: random.Random) -> Hostile:
    """Be a zip that slips, links, nests or explodes."""
    jpeg = picture("JPEG", 96, draw.randrange(256))
    slip = [f"../../../../tmp/{MARK}.jpg", f"/etc/{MARK}.jpg", f"..\\{MARK}.jpg", f"a/../../{MARK}.jpg"]
    sound = zipped([(f"{MARK}.jpg", jpeg)])
    body = draw.choice(
        [
            zipped([(draw.choice(slip), jpeg)]),
            zipped([(f"{MARK}.jpg", b"/etc/passwd")], mode=0o120777),
            exploding(),
            zipped([(f"{MARK}.zip", sound)]),
            crowded(),
            zipped([(f"{MARK}.jpg", jpeg), (f"{MARK}.svg", SVG), (f"{MARK}.html", SCRIPT)]),
            sound[: draw.randrange(len(sound))],
            sound.replace(struct.pack("<I", len(jpeg)), struct.pack("<I", 0xFFFFFFFF)),
            sound[:-22] + sound[-22:].replace(b"\1\0", b"\xff\xff"),
            bytes(byte ^ (draw.random() < 0.01) for byte in sound),
            zipped([(f"{MARK}.txt", SCRIPT * 1000), (f"{MARK}.jpg", jpeg)]),
        ]
    )
    return Hostile("zip", f"{MARK}.zip", body)


def weights(draw: random.Random) -> Hostile:
    """Be no safetensors file, or one that lies."""
    head = {"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}, "__metadata__": {"x": SCRIPT.decode()}}
    deep = b'{"a":' * 5000 + b"1" + b"}" * 5000
    text = json.dumps(head).encode()
    body = draw.choice(
        [
            pickle.dumps(Bad()),
            zipped([("archive/data.pkl", pickle.dumps(Bad()))], compress=zipfile.ZIP_STORED),
            struct.pack("<Q", len(text)) + text,
            struct.pack("<Q", 2**63) + b"{}",
            struct.pack("<Q", 10**8) + b"{" * 1000,
            struct.pack("<Q", len(deep)) + deep,
            struct.pack("<Q", 2) + b"{}",
            struct.pack("<Q", 4) + b"null",
            draw.randbytes(draw.randrange(2000)),
            SVG,
        ]
    )
    ending = draw.choice(["safetensors", "ckpt", "pt", "bin", "pkl", "safetensors.html"])
    return Hostile("weights", draw.choice(["", "../../"]) + f"{MARK}.{ending}", body, "loras")


FAMILIES = (cut_off, flipped, polyglot, bomb, disguised, named, archive, weights)


def hostile_files(count: int, seed: int) -> Iterator[Hostile]:
    """Yield so many, all families in turn."""
    draw = random.Random(seed)
    for number in range(count):
        yield FAMILIES[number % len(FAMILIES)](draw)
