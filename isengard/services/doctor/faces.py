"""Whether there is one face in each picture, whole, large and sharp enough to learn from."""

from __future__ import annotations

from collections.abc import Iterator

from isengard.domain.checkup import Finding, Fix
from isengard.domain.dataset import Crop
from isengard.plugins.protocols import Face
from isengard.services.doctor.case import SEVERAL, Case, Picture, found, remove
from isengard.services.doctor.crops import apart, around_face, closer, face_window, trained

SHARP = 55.0  # variance of the Laplacian at 256 px: sharp photographs have 94 to 724, visibly blurred ones 2 to 50
FACE_PIXELS = 96  # less has no eyes to learn; for a base model of 512 pixels or more
FACE_SHARE = 16  # a face needs this part of the base model's resolution when it is trained
TINY = 24  # pixels that the smallest base model needs
OVER = 0.02  # of a face's size: how far a box may reach over the edge, for the detector's own error
NEAR_SIDE = 0.05  # of a face's width: a box that ends here at a side goes on behind it
CHIN, HAIR = 0.08, 0.1  # of a face's height that a close-up may leave out


def check(case: Case) -> Iterator[Finding]:
    """Look at each picture's faces."""
    if case.analyzer is None:
        yield found(
            "faces_unknown",
            "warn",
            "Faces were not looked at",
            reason="No face model works here, so nobody can say whether the pictures show one person, whole and sharp.",
            advice="See the backends in /info for what is missing.",
        )
        return
    if not case.faces_are_known:
        yield _unknown(case)
        return
    for picture in case.pictures:
        if not picture.trouble:
            yield from _one(case, picture)


def _unknown(case: Case) -> Finding:
    with_face = sum(bool(p.faces) for p in case.pictures)
    return found(
        "faces_unknown",
        "warn",
        "Faces cannot be judged here",
        reason=f"A face was found in {with_face} of {len(case.pictures)} pictures. The face model was made for "
        "photographs: drawings, masks and animals are often beyond it.",
        advice="If these are photographs of a person, most of them do not show the face: add some that do.",
        evidence=[p.evidence() for p in case.pictures if not p.faces][:12],
        about=case.pictures,
    )


def _one(case: Case, picture: Picture) -> Iterator[Finding]:
    face = case.main_face(picture)
    if face is None:
        yield _no_face(picture)
        return
    if len(picture.faces) >= SEVERAL:
        yield _several(picture, face)
    cut = _cut(picture, face) or _cut_by_training(case, picture, face)
    if cut:
        yield cut
    small = _small(case, picture, face)
    if small:
        yield small
    elif face.sharpness < SHARP:
        yield _blurred(picture, face)


def _no_face(picture: Picture) -> Finding:
    return found(
        "no_face",
        "warn",
        "No face in this picture",
        reason="No face was found. A picture without the face teaches everything but the person.",
        advice="Keep it only if it shows the person from behind or from the side on purpose.",
        evidence=[picture.evidence()],
        fix=remove([picture]),
        about=[picture],
    )


def _several(picture: Picture, face: Face) -> Finding:
    crop = apart(picture, face)
    fix = _crop_fix(picture, crop, "Crop to this person") if crop else remove([picture])
    return found(
        "several_faces",
        "warn",
        f"{len(picture.faces)} faces in this picture",
        reason="With several people in a picture the LoRA mixes their faces.",
        advice="" if crop else "They are too close to each other for a crop.",
        evidence=[picture.evidence(one, "" if one is face else "someone else") for one in picture.faces],
        fix=fix,
        about=[picture],
    )


def _cut(picture: Picture, face: Face) -> Finding | None:
    """Tell whether the edge of the picture goes through the face; a little hair or chin less is a close-up."""
    x, y, width, height = face.box
    beside = min(x, picture.width - x - width) < NEAR_SIDE * width
    below = picture.height - y - height < -CHIN * height
    gone = any(not (0 <= px < picture.width and 0 <= py < picture.height) for px, py in face.landmarks)
    if not (beside or below or gone or y < -HAIR * height):
        return None
    fix = _crop_fix(picture, None, "Use the whole picture") if picture.image.crop else remove([picture])
    return found(
        "cut_face",
        "warn",
        "The face is cut off",
        reason="The edge of the picture goes through the face, and the LoRA would learn it like that.",
        evidence=[picture.evidence(face)],
        fix=fix,
        about=[picture],
    )


def _cut_by_training(case: Case, picture: Picture, face: Face) -> Finding | None:
    kept = trained(case, picture)
    if kept.holds(face_window(face), slack=OVER * face.box[3]):
        return None
    crop = around_face(case, picture, face)
    shape = "a square" if case.square else f"{kept.width:.0f} x {kept.height:.0f} pixels"
    return found(
        "training_cut",
        "warn",
        "Training would cut the face off",
        reason=f"Training uses {shape} from the middle of this picture, and the face is not all inside. "
        "Centring such crops on the face is among the most effective fixes there are.",
        evidence=[picture.evidence(face)],
        fix=_crop_fix(picture, crop, "Crop around the face") if crop else remove([picture]),
        about=[picture],
    )


def _small(case: Case, picture: Picture, face: Face) -> Finding | None:
    resolution = case.row.resolution
    scale = min(1.0, case.enlarged(picture))
    at_training = face.box[3] * scale
    pixels, needed = FACE_PIXELS * min(1.0, resolution / 512), max(TINY, resolution / FACE_SHARE)
    if face.box[3] >= pixels and at_training >= needed:
        return None
    crop = closer(picture, face) if face.box[3] >= pixels else None
    why = (
        f"The face is {face.box[3]:.0f} pixels high; below {pixels:.0f} there is no likeness in it."
        if face.box[3] < pixels
        else f"In training the face would be {at_training:.0f} pixels high; it needs {needed:.0f}."
    )
    return found(
        "small_face",
        "warn",
        "The face is too small",
        reason=why,
        advice="" if crop else "Use the original file if this is a copy that was made smaller.",
        evidence=[picture.evidence(face)],
        fix=_crop_fix(picture, crop, "Crop closer") if crop else remove([picture]),
        about=[picture],
    )


def _blurred(picture: Picture, face: Face) -> Finding:
    return found(
        "blurred_face",
        "warn",
        "The face is blurred",
        reason=f"Its sharpness is {face.sharpness:.0f}; sharp portraits have {SHARP:.0f} to 700. "
        "A LoRA learns blur as if it were part of the person.",
        evidence=[picture.evidence(face)],
        fix=remove([picture]),
        about=[picture],
    )


def _crop_fix(picture: Picture, crop: Crop | None, label: str) -> Fix:
    return Fix(action="crop", label=label, image_ids=(picture.id,), crop=crop)
