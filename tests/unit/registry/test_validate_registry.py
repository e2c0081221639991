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
    "source": "a test",
    "confidence": "low",
}
PIN = {"source": "somewhere/tool", "version": "v1", "commit": "a" * 40, "license": "GPL-3.0"}


def row(**changes: Any) -> dict[str, Any]:
    fields = {
        "id": "tiny",
        "name": "Tiny",
        "source": "here",
        "license": "MIT",
        "license_id": "MIT",
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
        ({"license_id": ""}, "give an SPDX id"),
        ({"commercial_use": False}, "MIT allows it"),
        ({"license_url": "http://x"}, "give an https address"),
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


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"confidence": "certain"}, "confidence is 'certain'"),
        ({"steps": 9, "steps_per_image": 2, "min_steps": 10, "max_steps": 20}, "not between min_steps and max_steps"),
        ({"steps_per_image": 2}, "needs min_steps and max_steps"),
        ({"steps_per_image": 2, "min_steps": 10, "max_steps": 20}, None),
    ],
)
def test_a_preset_that_contradicts_itself_is_named(
    checked: Checked, root: Path, changes: dict[str, Any], named: str | None
) -> None:
    presets = {"quick": PRESET, "balanced": PRESET, "best": PRESET | changes}
    (root / "sota" / "presets" / "tiny.yml").write_text(yaml.safe_dump(presets))
    done = checked({"models": [row()]})
    assert done.returncode == (1 if named else 0)
    assert (named or "") in done.stderr


def test_a_model_that_does_not_ship_may_lack_presets_and_weights(checked: Checked) -> None:
    needs = {"training": {"vram_gb": 8, "ram_gb": 8}}
    large = row(id="large", path=None, family="large", trainer_arch="sdxl", needs=needs)
    done = checked({"models": [row(), large]})
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


FILE = {"path": "a.safetensors", "to": "vae/a.safetensors", "size": 9, "sha256": "a" * 64}
SOURCE = {"id": "hub", "kind": "huggingface", "use": ["images"], "name": "owner/repo", "files": [FILE]}
NEEDS = {"images": {"vram_gb": 8, "ram_gb": 8}}


def source(**changes: Any) -> list[dict[str, Any]]:
    return [SOURCE | changes]


def test_a_row_with_files_is_sound(checked: Checked) -> None:
    done = checked({"models": [row(sources=[SOURCE], comfyui={"VAE": "vae/a.safetensors"}, needs=NEEDS)]})
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"sources": [SOURCE, SOURCE]}, "source 'hub' is there twice"),
        ({"sources": source(name="repo")}, "give owner/repository"),
        ({"sources": source(kind="url", name="http://x/y")}, "an https address"),
        ({"sources": source(kind="url", name="https://me:secret@x/y")}, "without user"),
        ({"sources": source(kind="pypi", name="package>=1")}, "package==version"),
        ({"sources": source(use=[])}, "use is empty"),
        ({"sources": source(files=[])}, "either files or patterns"),
        ({"sources": source(include=["*"])}, "either files or patterns"),
        ({"sources": source(kind="url", name="https://x/y", files=[], include=["*"])}, "for Hugging Face alone"),
        ({"sources": source(folder="../out")}, "leaves the models folder"),
        ({"sources": source(files=[FILE | {"to": "../../etc/x"}])}, "leaves the folder"),
        ({"sources": source(files=[FILE | {"to": "/etc/x"}])}, "leaves the folder"),
        ({"sources": source(files=[FILE | {"to": "checkpoints/a.ckpt"}])}, "can run programs"),
        ({"sources": source(files=[FILE | {"sha256": "a" * 63}])}, "64 small hex digits"),
        ({"sources": source(files=[FILE | {"size": 0}])}, "greater than 0"),
        ({"sources": source(files=[FILE, FILE | {"size": 10}])}, "is another file than the one of tiny"),
        ({"sources": source(kind="torrent")}, "Input should be"),
        ({"sources": [SOURCE], "gated": True}, "none of its sources is"),
        ({"sources": [SOURCE], "comfyui": {"VAE": "vae/b.safetensors"}, "needs": NEEDS}, "no source brings it"),
        ({"comfyui": {"VAE": "models/a.safetensors"}, "needs": NEEDS}, "ComfyUI looks in vae"),
        ({"comfyui": {"LORA": "loras/a.safetensors"}, "needs": NEEDS}, "no workflow knows"),
        ({"comfyui": {"VAE": "vae/a.safetensors"}}, "needs says nothing of images"),
        ({"sources": source(files=[FILE | {"size": 2**30}]), "size_gb": 5}, "have 1.0 GB"),
        ({"trainer_arch": "sd4", "needs": {"training": {"vram_gb": 1, "ram_gb": 1}}}, "would train the wrong thing"),
        ({"trainer_arch": "sdxl"}, "needs says nothing of training"),
        ({"path": None}, "has no trainer_arch"),
        ({"trainer_adapter": "tiny"}, "is no training adapter"),
        ({"workflow": "nowhere"}, "workflow 'nowhere' is not there"),
    ],
)
def test_a_seeded_mistake_is_refused_in_a_clear_sentence(checked: Checked, changes: dict[str, Any], named: str) -> None:
    done = checked({"models": [row(**changes)]})
    assert done.returncode == 1
    assert named in done.stderr
    assert "tiny" in done.stderr


def test_a_workflow_of_other_models_is_refused(checked: Checked, root: Path) -> None:
    folder = root / "plugins" / "comfyui" / "workflows"
    folder.mkdir(parents=True)
    (folder / "flow.json").write_text('{"families": ["other"], "base_models": [], "nodes": ["VAE_INJECT"]}')
    done = checked({"models": [row(workflow="flow")]})
    assert "is made for other models" in done.stderr
    assert "needs VAE" in done.stderr


def test_an_unknown_part_and_an_unpinned_node_are_named(checked: Checked) -> None:
    done = checked({"models": [row()], "modells": [], "custom_nodes": {"faces": {"source": "x/y"}}})
    assert "'modells' is no part" in done.stderr
    assert "custom node faces: lacks version, commit, license" in done.stderr
