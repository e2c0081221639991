"""What cannot work is refused before anything starts, and what is not here says how to get it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from isengard.errors import BackendUnavailable, InvalidInput
from isengard.plugins.protocols import DatasetItem
from tests.aitoolkit.bench import DOUBLE, Bench, row_of


def test_an_unreadable_picture_is_refused_by_its_name(bench: Bench, tmp_path: Path) -> None:
    broken = tmp_path / "bröken.png"
    broken.write_bytes(b"no picture")
    run = bench.run(tmp_path / "work")
    with pytest.raises(InvalidInput, match=r"1 of 4 pictures cannot be read: bröken\.png"):
        list(bench.events(replace(run, dataset=[*run.dataset, DatasetItem(broken, "a caption")])))


def test_too_few_steps_for_all_pictures_are_refused(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="2 steps are too few for 3 pictures"):
        list(bench.events(bench.run(tmp_path, steps=2)))


def test_a_model_that_is_not_whole_is_refused(bench: Bench, tmp_path: Path) -> None:
    base = bench.base("flux")
    next((bench.models / base.id / "vae").iterdir()).unlink()
    assert not bench.training.supports(base)
    with pytest.raises(BackendUnavailable, match="Files of Tiny flux are missing: vae"):
        list(bench.events(bench.run(tmp_path, base=base)))


def test_a_family_without_a_known_architecture_is_left_to_others(bench: Bench) -> None:
    assert not bench.training.supports(row_of("pocket", "pocket"))


def test_a_distilled_model_needs_its_adapter(bench: Bench, tmp_path: Path) -> None:
    base = bench.base("z-image", "z-image-turbo")
    with pytest.raises(InvalidInput, match="distilled and needs its training adapter"):
        list(bench.events(bench.run(tmp_path, base=base)))
    (bench.models / base.id / "zimage_turbo_training_adapter_v2.safetensors").touch()
    bench.train(bench.run(tmp_path, base=base))


@pytest.mark.parametrize(
    ("file", "word", "said"),
    [
        ("toolkit/config_modules.py", '.get("cache_latents_to_disk")', "cache_latents_to_disk"),
        ("extensions_built_in/diffusion_models/known.py", 'arch = "zimage"', "the architecture zimage"),
    ],
)
def test_a_version_that_would_ignore_what_it_is_told_is_refused(
    bench: Bench, tmp_path: Path, file: str, word: str, said: str
) -> None:
    bench.checkout = tmp_path / "other"
    shutil.copytree(DOUBLE, bench.checkout)
    path = bench.checkout / file
    assert word in path.read_text()
    path.write_text(path.read_text().replace(word, ""))
    with pytest.raises(BackendUnavailable, match=f"does not know .*{said}"):
        list(bench.events(bench.run(tmp_path / "work", base=bench.base("z-image"))))


def test_what_is_not_installed_says_how_to_install_it(bench: Bench, tmp_path: Path) -> None:
    bench.checkout = tmp_path / "nowhere"
    status = bench.training.status()
    assert (status.available, status.hint) == (False, "Run: scripts/setup_backends ai-toolkit")
    bench.checkout, bench.python = DOUBLE, tmp_path / "no-python"
    assert "environment is not made" in bench.training.status().reason
