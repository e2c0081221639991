"""What is said of a ComfyUI that is not here, not whole, or too old; and how one that is here is started."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import yaml

from isengard.plugins.protocols import PluginContext
from plugins.comfyui.place import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A checkout of a good version with an interpreter."""
    checkout, python = tmp_path / "checkout", tmp_path / "python"
    checkout.mkdir()
    (checkout / "main.py").write_text("")
    (checkout / "comfyui_version.py").write_text('__version__ = "0.33.0"\n')
    python.write_text("")
    volume = tmp_path / "volume"
    options = {
        "comfyui_dir": str(checkout),
        "comfyui_python": str(python),
        "comfyui_args": "--lowvram --preview-size 256",
    }
    context = PluginContext(
        tmp_path,
        volume / "cache",
        volume / "comfyui" / "models",
        600,
        lambda *_args, **_fields: None,
        loras_dir=volume / "loras",
        options=options,
    )
    return Place.of(context)


def test_a_whole_one_can_be_started(place: Place) -> None:
    status = place.status()
    assert (status.available, status.version, status.reason) == (True, "0.33.0", "")


def test_an_empty_submodule_is_told_with_the_one_command_that_fills_it(place: Place) -> None:
    (place.checkout / "main.py").unlink()
    status = place.status()
    assert not status.available
    assert "empty" in status.reason
    assert status.hint == "Run: scripts/setup_backends comfyui"


def test_a_missing_environment_is_told_with_the_same_command(place: Place) -> None:
    place.python.unlink()
    status = place.status()
    assert (status.available, status.version) == (False, "0.33.0")
    assert "environment" in status.reason
    assert status.hint == "Run: scripts/setup_backends comfyui"


def test_one_that_is_too_old_is_refused(place: Place) -> None:
    (place.checkout / "comfyui_version.py").write_text('__version__ = "0.2.7"\n')
    status = place.status()
    assert not status.available
    assert "0.2.7" in status.reason
    assert "0.3.60" in status.hint


def test_nothing_set_at_all_is_told_and_breaks_nothing(tmp_path: Path) -> None:
    context = PluginContext(tmp_path, tmp_path, tmp_path, 600, lambda *_args, **_fields: None)
    assert not Place.of(context).status().available


def test_it_listens_on_this_machine_alone_and_writes_on_the_volume_alone(place: Place) -> None:
    command = place.command(8123, "cpu")
    options = dict(itertools.pairwise(command))
    assert (options["--listen"], options["--port"]) == ("127.0.0.1", "8123")
    assert options["--base-directory"] == str(place.base)
    assert options["--database-url"] == "sqlite:///:memory:"
    assert "--disable-api-nodes" in command
    assert "--cpu" in command
    assert command[-3:] == ["--lowvram", "--preview-size", "256"]
    paths = yaml.safe_load(Path(options["--extra-model-paths-config"]).read_text())
    assert paths == {"comfyui": {"loras": str(place.loras.resolve())}}


def test_with_a_gpu_it_uses_it(place: Place) -> None:
    assert "--cpu" not in place.command(8123, "cuda")
