"""Faces: the real nets on real photographs."""

from __future__ import annotations

import math
import shutil
import threading
from pathlib import Path

import pytest
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from isengard.errors import BackendUnavailable, InvalidInput
from isengard.infra.identity import reference
from isengard.plugins.protocols import PluginContext
from plugins.faces import backends, weights
from plugins.faces.yunet_sface import YunetSface

PHOTOS = Path(__file__).parents[2] / "photos"
PEOPLE = ("ardern", "collins", "hopper", "obama")


def context(tmp_path: Path) -> PluginContext:
    return PluginContext(Path(), tmp_path, tmp_path, 600, lambda *_args, **_fields: None)


@pytest.fixture(scope="module")
def analyzer(tmp_path_factory: pytest.TempPathFactory) -> YunetSface:
    return YunetSface(context(tmp_path_factory.mktemp("faces")))


def cosine(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def embedding(analyzer: YunetSface, picture: Path) -> tuple[float, ...]:
    found = analyzer.faces(picture)
    assert len(found) == 1
    return found[0].embedding


def saved(picture: Image.Image, path: Path) -> Path:
    picture.save(path)
    return path


@pytest.mark.parametrize("person", PEOPLE)
def test_one_face_is_found_where_it_is(analyzer: YunetSface, person: str) -> None:
    (face,) = analyzer.faces(PHOTOS / f"{person}.jpg")
    x, y, width, height = face.box
    photo_width, photo_height = Image.open(PHOTOS / f"{person}.jpg").size
    assert face.score > 0.9
    assert 0 < x < x + width < photo_width
    assert 0 < y < y + height < photo_height
    assert len(face.embedding) == 128
    assert math.isclose(cosine(face.embedding, face.embedding), 1.0, abs_tol=1e-6)


def test_people_are_told_apart(analyzer: YunetSface) -> None:
    found = {person: embedding(analyzer, PHOTOS / f"{person}.jpg") for person in PEOPLE}
    scores = [analyzer.score(cosine(found[a], found[b])) for a in PEOPLE for b in PEOPLE if a < b]
    assert len(scores) == 6
    assert max(scores) < 0.1


@pytest.mark.parametrize("person", PEOPLE)
def test_a_person_is_known_again_mirrored_darker_and_smaller(analyzer: YunetSface, person: str, tmp_path: Path) -> None:
    photo = Image.open(PHOTOS / f"{person}.jpg")
    darker = ImageEnhance.Brightness(ImageOps.mirror(photo)).enhance(0.6)
    other = saved(darker.resize((photo.width // 2, photo.height // 2)), tmp_path / "other.png")
    same = cosine(embedding(analyzer, PHOTOS / f"{person}.jpg"), embedding(analyzer, other))
    assert analyzer.score(same) > 0.9


def test_a_picture_of_128_pixels_is_enough(analyzer: YunetSface, tmp_path: Path) -> None:
    small = saved(Image.open(PHOTOS / "obama.jpg").resize((111, 128)), tmp_path / "small.png")
    (face,) = analyzer.faces(small)
    assert face.box[0] + face.box[2] < 111
    assert analyzer.score(cosine(face.embedding, embedding(analyzer, PHOTOS / "obama.jpg"))) > 0.9


def test_two_people_are_two_faces_and_a_passer_by_is_none(analyzer: YunetSface, tmp_path: Path) -> None:
    pair = Image.new("RGB", (760, 400))
    pair.paste(Image.open(PHOTOS / "obama.jpg"), (0, 0))
    pair.paste(Image.open(PHOTOS / "hopper.jpg"), (400, 0))
    boxes = [face.box for face in analyzer.faces(saved(pair, tmp_path / "pair.png"))]
    assert len(boxes) == 2
    assert boxes[0][2] * boxes[0][3] >= boxes[1][2] * boxes[1][3]
    far = Image.open(PHOTOS / "hopper.jpg").resize((85, 100))
    pair.paste(Image.new("RGB", (360, 400)), (400, 0))
    pair.paste(far, (500, 0))
    assert len(analyzer.faces(saved(pair, tmp_path / "far.png"))) == 1


def test_no_face_is_an_empty_answer(analyzer: YunetSface, tmp_path: Path) -> None:
    assert list(analyzer.faces(saved(Image.new("RGB", (300, 200), "teal"), tmp_path / "flat.png"))) == []


@pytest.mark.parametrize("content", [b"", b"no picture"])
def test_a_file_that_is_no_picture_is_refused_in_words(analyzer: YunetSface, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.jpg"
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match=r"broken\.jpg is not a picture"):
        analyzer.faces(path)


def test_the_score_is_calibrated(analyzer: YunetSface) -> None:
    assert math.isclose(analyzer.score(0.43), 0.7, abs_tol=1e-9)
    assert analyzer.score(0.295) < 0.15  # the two strangers most alike
    assert analyzer.score(0.561) > 0.9  # the two pictures of one person least alike


def test_drawings_have_a_scale_of_their_own(analyzer: YunetSface, project_root: Path) -> None:
    assert math.isclose(analyzer.drawn_score(0.6) or 0, 0.7, abs_tol=1e-9)
    assert (analyzer.drawn_score(0.43) or 0) < 0.1  # half of drawn strangers reach it: 0.7 in photographs
    own = [embedding(analyzer, path) for path in sorted((project_root / "isengard" / "sample").glob("*.jpg"))]
    known = reference({str(n): one for n, one in enumerate(own)}, analyzer.score, analyzer.name, "")
    assert known is not None
    for path in (project_root / "tests" / "drawings" / "heldout").glob("*.jpg"):
        assert (analyzer.drawn_score(known.cosine(embedding(analyzer, path))) or 0) >= 0.7


def test_threads_share_it_and_agree(analyzer: YunetSface) -> None:
    alone = {person: embedding(analyzer, PHOTOS / f"{person}.jpg") for person in PEOPLE}
    together: dict[str, tuple[float, ...]] = {}
    threads = [
        threading.Thread(target=lambda p=person: together.update({p: embedding(analyzer, PHOTOS / f"{p}.jpg")}))
        for person in PEOPLE
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone


def test_a_damaged_model_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in weights.SHA256:
        shutil.copy(weights.find(name), tmp_path / name)
    with (tmp_path / weights.SFACE).open("ab") as file:
        file.write(b"x")
    monkeypatch.setattr(weights, "folder", lambda: tmp_path)
    with pytest.raises(BackendUnavailable, match="not the file that Isengard knows"):
        YunetSface(context(tmp_path)).faces(PHOTOS / "obama.jpg")


def test_a_missing_model_is_a_reason_not_a_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "CARRIER", "no_such_package_here")
    for backend in backends(context(tmp_path)):
        status = backend.status()
        assert not status.available
        assert "not installed" in status.reason
        assert "pip install" in status.hint


def test_many_pictures_come_in_order_and_one_that_is_none_spoils_nothing(analyzer: YunetSface, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    asked = [PHOTOS / "obama.jpg", tmp_path / "broken.jpg", tmp_path / "gone.jpg", PHOTOS / "hopper.jpg"]
    found = list(analyzer.faces_of(asked))
    assert found[0] == analyzer.faces(PHOTOS / "obama.jpg")
    assert isinstance(found[1], InvalidInput)
    assert isinstance(found[2], BackendUnavailable)
    assert found[3] == analyzer.faces(PHOTOS / "hopper.jpg")


def test_landmarks_lie_where_eyes_nose_and_mouth_are(analyzer: YunetSface) -> None:
    (face,) = analyzer.faces(PHOTOS / "obama.jpg")
    right_eye, left_eye, nose, right_corner, left_corner = face.landmarks
    x, y, width, height = face.box
    assert all(x < px < x + width and y < py < y + height for px, py in face.landmarks)
    assert right_eye[0] < nose[0] < left_eye[0]
    assert right_eye[1] < nose[1] < right_corner[1]
    assert right_corner[0] < left_corner[0]


def test_a_blurred_face_is_less_sharp(analyzer: YunetSface, tmp_path: Path) -> None:
    photo = Image.open(PHOTOS / "obama.jpg")
    soft = saved(photo.filter(ImageFilter.GaussianBlur(photo.width / 100)), tmp_path / "soft.png")
    assert analyzer.faces(PHOTOS / "obama.jpg")[0].sharpness > 90
    assert analyzer.faces(soft)[0].sharpness < 30


def test_a_phone_s_sideways_picture_is_read_upright(analyzer: YunetSface, tmp_path: Path) -> None:
    photo = Image.open(PHOTOS / "hopper.jpg")
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it a quarter to the right to see it upright
    photo.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "phone.jpg", exif=exif, quality=95)
    (face,) = analyzer.faces(tmp_path / "phone.jpg")
    assert face.box == pytest.approx(analyzer.faces(PHOTOS / "hopper.jpg")[0].box, abs=5)
