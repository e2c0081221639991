"""The engine draws for real: the same seed the same picture, the LoRA applied and taken away again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file, save_file

from isengard.domain.event import PluginEvent
from isengard.errors import InvalidInput
from tests.contract.conftest import Bench

Trained = tuple[list[PluginEvent], Path, Path]


def pixels(path: str) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def test_the_same_seed_draws_the_same_picture(bench: Bench, tmp_path: Path) -> None:
    first, again = (bench.generate(tmp_path / name)[0] for name in ("a", "b"))
    assert (pixels(first.path) == pixels(again.path)).all()
    assert (first.seed, first.width, first.height) == (7, 128, 128)


def test_another_seed_draws_another(bench: Bench, tmp_path: Path) -> None:
    one, other = bench.generate(tmp_path / "a")[0], bench.generate(tmp_path / "b", seed=8)[0]
    assert (pixels(one.path) != pixels(other.path)).mean() > 0.5


def test_strength_zero_is_the_base_model_to_the_bit(bench: Bench, trained: Trained, tmp_path: Path) -> None:
    request = {"guidance_scale": 2.0}
    base = bench.generate(tmp_path / "base", **request)[0]
    off = bench.generate(tmp_path / "off", trained[1], 0.0, **request)[0]
    assert (pixels(base.path) == pixels(off.path)).all()


def test_a_lora_changes_the_picture_and_leaves_nothing_behind(bench: Bench, trained: Trained, tmp_path: Path) -> None:
    request = {"guidance_scale": 2.0}
    before = bench.generate(tmp_path / "before", **request)[0]
    using = bench.generate(tmp_path / "with", trained[1], 1.0, **request)[0]
    after = bench.generate(tmp_path / "after", **request)[0]
    assert (pixels(before.path) != pixels(using.path)).any()
    assert (pixels(before.path) == pixels(after.path)).all()


def test_many_come_in_order_with_a_seed_each(bench: Bench, tmp_path: Path) -> None:
    made = bench.generate(tmp_path, count=5)
    assert [picture.index for picture in made] == [0, 1, 2, 3, 4]
    assert [picture.seed for picture in made] == [7, 8, 9, 10, 11]


def test_one_of_many_can_be_made_again_from_its_seed(bench: Bench, tmp_path: Path) -> None:
    third = bench.generate(tmp_path / "many", count=3)[2]
    alone = bench.generate(tmp_path / "one", seed=third.seed)[0]
    difference = np.abs(pixels(third.path).astype(int) - pixels(alone.path).astype(int))
    assert difference.max() <= 2  # a batch rounds otherwise than a single picture; the eye sees none of it


@pytest.mark.parametrize("sampler", ["unipc", "dpmpp_2m", "euler", "heun"])
def test_every_sampler_that_is_offered_works(bench: Bench, tmp_path: Path, sampler: str) -> None:
    picture = bench.generate(tmp_path, sampler=sampler)[0]
    assert pixels(picture.path).std() > 5


def test_a_lora_of_another_model_is_refused_before_a_picture(bench: Bench, trained: Trained, tmp_path: Path) -> None:
    trained_tensors = load_file(trained[1]).items()
    wider = {key: np.zeros((*v.shape[:-1], v.shape[-1] + 8), "f4") for key, v in trained_tensors if v.shape}
    tensors = {**dict(trained_tensors), **wider}
    foreign = tmp_path / "foreign.safetensors"
    save_file(tensors, foreign)
    with pytest.raises(InvalidInput):
        bench.images.check_lora(foreign, bench.base)
    pickled = tmp_path / "pickled.safetensors"
    pickled.write_bytes(b"\x80\x04\x95 no safetensors")
    with pytest.raises(InvalidInput):
        bench.images.check_lora(pickled, bench.base)
