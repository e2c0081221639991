"""Variations of photos: the face stays whole, a seed decides everything, and each change does what it says."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from isengard.domain.catalogue import Sizes, attempts
from isengard.domain.lease import Stop
from isengard.domain.synthetic import SyntheticConfig
from isengard.errors import Cancelled
from isengard.plugins.sources import ExpansionRun, ReferencePicture
from plugins.synthetic.augmentation import CATALOGUE, Augmentation
from plugins.synthetic.changes import varied

EDGE = 200
FACE = (80.0, 60.0, 40.0, 50.0)
AS_IT_IS = {"crop": "as it is", "side": "as it is", "turn": "level", "tone": "as it is", "lens": "straight"}


@pytest.fixture
def photo() -> Image.Image:
    """A grey picture with a red 'face'."""
    picture = Image.new("RGB", (EDGE, EDGE), (90, 110, 130))
    picture.paste((200, 30, 30), (80, 60, 120, 110))
    return picture


def redness(picture: Image.Image) -> int:
    red, green, _ = np.moveaxis(np.asarray(picture).astype(int), 2, 0)
    return int(((red - green) > 60).sum())


@pytest.fixture
def run(photo: Image.Image, tmp_path: Path) -> ExpansionRun:
    path = tmp_path / "photo.png"
    photo.save(path)
    reference = ReferencePicture("img-1", path, "a photo of zvka", FACE)
    return ExpansionRun("syn-1", "corr-1", "zvka", SyntheticConfig(), [reference], "hash", tmp_path / "work")


def test_every_kind_of_change_keeps_the_face_in_the_picture(photo: Image.Image) -> None:
    for seed, shot in enumerate(itertools.islice(CATALOGUE.shots(1), 60)):
        made = varied(photo, FACE, shot, seed)
        assert made.mode == "RGB"
        assert redness(made) > 0.7 * redness(photo), shot


def test_a_seed_decides_every_pixel(photo: Image.Image) -> None:
    for shot in itertools.islice(CATALOGUE.shots(2), 8):
        assert varied(photo, FACE, shot, 5).tobytes() == varied(photo, FACE, shot, 5).tobytes()
        assert varied(photo, FACE, shot, 5).tobytes() != varied(photo, FACE, shot, 6).tobytes()


def test_tones_and_crops_do_what_they_say(photo: Image.Image) -> None:
    def mean(**changes: str) -> float:
        return float(np.asarray(varied(photo, FACE, {**AS_IT_IS, **changes}, 1)).mean())

    assert mean(tone="darker") < mean() < mean(tone="brighter")
    closer, plain = (varied(photo, FACE, {**AS_IT_IS, "crop": crop}, 1).width for crop in ("much closer", "as it is"))
    assert closer < plain


def test_it_makes_one_picture_for_each_attempt_and_ends_when_cancelled(run: ExpansionRun) -> None:
    plan = attempts(CATALOGUE, "zvka", Sizes(wanted=4, rounds=1, references=1), 42)[0]
    made = list(Augmentation().draw(run, plan, print))
    assert [picture.index for picture in made] == [0, 1, 2, 3]
    assert all(Image.open(picture.path).size == (picture.width, picture.height) for picture in made)
    cancelled = threading.Event()
    cancelled.set()
    stopped = ExpansionRun(**{**vars(run), "stop": Stop(cancel=cancelled)})
    with pytest.raises(Cancelled):
        list(Augmentation().draw(stopped, plan, print))
