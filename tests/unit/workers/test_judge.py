"""What the judge makes of copies of a reference, of other pictures of the same person, and of pictures without one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageEnhance

from isengard.domain.sorting import reasons_of
from isengard.domain.synthetic import SyntheticPicture, Thresholds
from isengard.infra.identity import reference
from isengard.infra.measures import mirrored
from isengard.plugins.protocols import PluginContext
from isengard.plugins.sources import ReferencePicture
from isengard.workers.judge import Judge
from plugins.faces.yunet_sface import YunetSface

REFERENCES = ("zuri-01.jpg", "zuri-02.jpg", "zuri-03.jpg")
OTHERS = ("zuri-06.jpg", "zuri-09.jpg", "zuri-12.jpg")


@pytest.fixture(scope="module")
def sample(project_root: Path) -> Path:
    return project_root / "isengard" / "sample"


@pytest.fixture(scope="module")
def judge(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Judge:
    folder = tmp_path_factory.mktemp("faces")
    analyzer = YunetSface(PluginContext(folder, folder, folder, 600, lambda *_said, **_fields: None))
    faces = {name: analyzer.faces(sample / name)[0] for name in REFERENCES}
    own = reference({name: face.embedding for name, face in faces.items()}, analyzer.score, "yunet-sface", "")
    assert own is not None
    return Judge.of(analyzer, [ReferencePicture(n, sample / n, "", face.box) for n, face in faces.items()], own)


def why(judge: Judge, picture: Path) -> tuple[str, ...]:
    made = {"run": 0, "index": 0, "slot": 0, "seed": 1, "shot": {}, "prompt": "p", "caption": "c"}
    shown = SyntheticPicture(id="x", source="proto_lora", scores=judge.scores(picture), **made)
    return reasons_of(shown, Thresholds())


@pytest.mark.parametrize(
    "change",
    [
        lambda photo: photo,
        mirrored,
        lambda photo: photo.resize((300, 300)),
        lambda photo: ImageEnhance.Brightness(photo).enhance(0.8),
        lambda photo: photo.crop((4, 4, photo.width - 4, photo.height - 4)),
    ],
    ids=["same", "mirrored", "smaller", "darker", "trimmed"],
)
def test_a_copy_of_a_reference_is_found(
    judge: Judge, sample: Path, tmp_path: Path, change: Callable[[Image.Image], Image.Image]
) -> None:
    change(Image.open(sample / REFERENCES[0]).convert("RGB")).save(tmp_path / "copy.png")
    assert why(judge, tmp_path / "copy.png") == ("copy_of_reference",)
    assert judge.scores(tmp_path / "copy.png").copy_of == REFERENCES[0]


@pytest.mark.parametrize("flip", [False, True])
def test_a_pasted_face_is_found_on_another_background(
    judge: Judge, project_root: Path, tmp_path: Path, flip: bool
) -> None:
    path = project_root / "tests" / "photos" / "obama.jpg"
    photo, found = Image.open(path).convert("RGB"), judge.analyzer.faces(path)[0]
    own = reference({"obama": found.embedding}, judge.analyzer.score, "yunet-sface", "")
    assert own is not None
    of_photo = Judge.of(judge.analyzer, [ReferencePicture("obama", path, "", found.box)], own)
    x, y, width, height = found.box
    room = 0.35 * width
    face = photo.crop((round(x - room), round(y - room), round(x + width + room), round(y + height + room)))
    scene = Image.linear_gradient("L").resize((700, 700)).convert("RGB")
    scene.paste((mirrored(face) if flip else face).resize((260, round(260 * face.height / face.width))), (300, 120))
    scene.save(tmp_path / "pasted.png")
    assert why(of_photo, tmp_path / "pasted.png") == ("copy_of_reference",)


@pytest.mark.parametrize("name", OTHERS)
def test_another_picture_of_the_same_person_is_no_copy(judge: Judge, sample: Path, name: str) -> None:
    assert why(judge, sample / name) == ()


def test_another_person_and_no_person_are_not_alike(judge: Judge, project_root: Path, tmp_path: Path) -> None:
    assert "not_alike" in why(judge, project_root / "tests" / "photos" / "hopper.jpg")
    Image.new("RGB", (256, 256), "teal").save(tmp_path / "wall.png")
    scores = judge.scores(tmp_path / "wall.png")
    assert (scores.faces, scores.similarity, scores.sharpness) == (0, None, None)
    assert why(judge, tmp_path / "wall.png") == ("no_face",)
