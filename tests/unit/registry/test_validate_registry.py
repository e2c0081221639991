"""scripts/validate_registry.py as people and CI run it: sound files pass, each kind of mistake is named."""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml


@dataclass(frozen=True)
class Verdict:
    """What a run said."""

    returncode: int
    stdout: str
    stderr: str


Checked = Callable[[Any], Verdict]
Run = Callable[..., Verdict]
PRESET = {
    "rank": 4,
    "alpha": 4,
    "learning_rate": 0.001,
    "steps": 10,
    "batch_size": 1,
    "target_modules": ["to_q"],
    "sample": {"steps": 2},
}
PIN = {"source": "somewhere/tool", "version": "v1", "commit": "a" * 40, "license": "GPL-3.0"}


def row(**changes: Any) -> dict[str, Any]:
    fields = {
        "id": "tiny",
        "name": "Tiny",
        "source": "here",
        "license": "MIT",
        "commercial_use": True,
        "version": "1",
        "sha256": "unverified",
        "purpose": "tests",
        "fast_test_alternative": "tiny",
        "family": "tiny",
        "path": "models/tiny",
        "compatibility": {"supported_training": ["lora"]},
    }
    return fields | changes


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with one embedded model and its presets."""
    weights = tmp_path / "models" / "tiny" / "unet" / "model.safetensors"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"weights")
    presets = tmp_path / "sota" / "presets" / "tiny.yml"
    presets.parent.mkdir(parents=True)
    presets.write_text(yaml.safe_dump({"quick": PRESET, "balanced": PRESET, "best": PRESET}))
    return tmp_path


@pytest.fixture
def run(project_root: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the script's main in this process."""
    spec = importlib.util.spec_from_file_location("validate_registry", project_root / "scripts/validate_registry.py")
    assert spec
    assert spec.loader
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)

    def call(*arguments: Path | str) -> Verdict:
        code = script.main([str(argument) for argument in arguments])
        return Verdict(code, *capsys.readouterr())

    return call


@pytest.fixture
def checked(root: Path, run: Run) -> Checked:
    """Run the script on a registry given as a value, or as text."""

    def check(content: Any) -> Verdict:
        path = root / "registry.yml"
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return run(path, "--root", root)

    return check


def test_our_own_registry_is_sound(project_root: Path) -> None:
    command = [sys.executable, "scripts/validate_registry.py"]
    done = subprocess.run(command, cwd=project_root, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "sound" in done.stdout


def test_a_sound_file_passes_and_says_so(checked: Checked) -> None:
    done = checked({"version": "1.0", "models": [row()], "components": {"tool": PIN}})
    assert (done.returncode, done.stdout, done.stderr) == (0, "registry.yml: 1 models, sound\n", "")


def test_the_true_hash_passes(checked: Checked) -> None:
    digest = hashlib.sha256(b"weights").hexdigest()
    assert checked({"models": [row(sha256=digest)]}).returncode == 0


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"id": "Tiny Model", "fast_test_alternative": None}, "small letters"),
        ({"license": " "}, "license is empty"),
        ({"purpose": ""}, "purpose is empty"),
        ({"family": ""}, "family is empty"),
        ({"sha256": "abc123"}, "64 small hex digits"),
        ({"sha256": "A" * 64}, "64 small hex digits"),
        ({"sha256": "0" * 64}, "but the weights in 'models/tiny' have"),
        ({"license": "FLUX.1-dev Non-Commercial License"}, "commercial_use is true"),
        ({"license": "Noncommercial research only"}, "commercial_use is true"),
        ({"fast_test_alternative": "nobody"}, "'nobody' is not in the registry"),
        ({"path": "models/elsewhere"}, "holds no .safetensors file"),
        ({"path": "../outside"}, "leaves the project"),
        ({"family": "unknown"}, "unknown.yml is missing"),
        ({"compatibility": {"min_vram_gb": 8, "supported_training": ["lora"]}}, "needs a GPU itself"),
        ({"resolution": "wide"}, "resolution"),
        ({"licence": "MIT"}, "licence: Extra inputs are not permitted"),
    ],
)
def test_a_wrong_row_is_named(checked: Checked, changes: dict[str, Any], named: str) -> None:
    done = checked({"models": [row(**changes)]})
    assert done.returncode == 1
    assert named in done.stderr
    assert str(changes.get("id", "tiny")) in done.stderr


@pytest.mark.parametrize("field", ["id", "name", "source", "license", "version", "purpose"])
def test_a_missing_field_is_named(checked: Checked, field: str) -> None:
    done = checked({"models": [{name: value for name, value in row().items() if name != field}]})
    assert done.returncode == 1
    assert f"{field}: Field required" in done.stderr


def test_an_id_used_twice_is_named(checked: Checked) -> None:
    done = checked({"models": [row(), row(name="Tiny again")]})
    assert done.returncode == 1
    assert "tiny: the id is used 2 times" in done.stderr


def test_every_mistake_is_told_at_once(checked: Checked) -> None:
    done = checked({"models": [row(sha256="?", purpose=""), row(id="other", source="")]})
    assert len(done.stderr.splitlines()) == 3
    assert "3 things are wrong" in done.stdout


@pytest.mark.parametrize(
    ("pin", "named"),
    [
        (PIN | {"commit": "2f35f4a"}, "not a full commit"),
        (PIN | {"commit": "main"}, "not a full commit"),
        ({"source": "somewhere/tool"}, "lacks version, commit, license"),
        ("v1", "lacks source"),
    ],
)
def test_a_component_that_is_not_pinned_is_named(checked: Checked, pin: Any, named: str) -> None:
    done = checked({"models": [row()], "components": {"tool": pin}})
    assert done.returncode == 1
    assert "component tool" in done.stderr
    assert named in done.stderr


@pytest.mark.parametrize("text", ["quick: {rank: 4}", "[]", "quick: ["])
def test_broken_presets_are_named(checked: Checked, root: Path, text: str) -> None:
    (root / "sota" / "presets" / "tiny.yml").write_text(text)
    done = checked({"models": [row()]})
    assert done.returncode == 1
    assert "sota/presets/tiny.yml" in done.stderr


def test_a_model_that_does_not_ship_may_lack_presets_and_weights(checked: Checked) -> None:
    done = checked({"models": [row(), row(id="large", path=None, family="large")]})
    assert done.returncode == 0
    assert "note: large can be trained in principle" in done.stdout


@pytest.mark.parametrize("text", ["models: [", "", "[]", "models: {}", "models: []", "version: '1.0'"])
def test_a_file_that_is_no_registry_is_told_apart(checked: Checked, text: str) -> None:
    done = checked(text)
    assert done.returncode == 2
    assert "registry.yml: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_is_not_there_is_told_apart(run: Run, tmp_path: Path) -> None:
    done = run(tmp_path / "none.yml")
    assert done.returncode == 2
    assert "cannot be read" in done.stderr
