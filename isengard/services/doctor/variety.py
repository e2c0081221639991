"""Whether the pictures differ enough: what is the same in all of them is learned as a part of the person."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations

from isengard.domain.checkup import Finding
from isengard.infra.looks import alike
from isengard.plugins.protocols import Face
from isengard.services.doctor.case import Case, Picture, found

ENOUGH = 6  # pictures before anything can be said about variety
TURNED = 0.18  # of the eyes' distance: how far the nose leaves their middle when the head is turned
DARK, BRIGHT = 0.25, 0.65  # mean luma
CLOSE_UP, PORTRAIT, HALF_BODY = 0.45, 0.22, 0.1  # face height as a share of the picture's
SAME_SHARE = 0.9  # of the pictures
SAME_ANGLE = 0.08  # spread of the turn, and
SAME_MOUTH = 0.04  # of the mouth's width, both in distances of the eyes: varied sets have 0.044 to 0.114
SAME_LUMA = 0.05  # spread of the pictures' light: varied sets have 0.067 to 0.136
SAME_FACE, SAME_SIDE = 0.03, 0.03  # and of the light on the faces in them, and of where it comes from
SAME_BACKDROP = 0.72  # what backdrops share on average


def check(case: Case) -> Iterator[Finding]:
    """Measure how much the pictures differ."""
    seen = [p for p in case.pictures if not p.trouble]
    faces = [(p, face) for p in seen if (face := case.main_face(p))]
    if len(seen) >= ENOUGH:
        yield from _backgrounds(seen)
    if len(faces) >= ENOUGH and case.faces_are_known:
        yield from _poses(faces)
        yield from _framings(faces)
        yield from _lights(seen)
        yield from _expressions(faces)


def counts(case: Case) -> dict[str, dict[str, int]]:
    """Return how many pictures there are of each pose, framing and light."""
    faces = [(p, face) for p in case.pictures if (face := case.main_face(p))]
    seen = [p for p in case.pictures if not p.trouble]
    return {
        "pose": dict(Counter(pose(face) for _, face in faces).most_common()),
        "framing": dict(Counter(framing(p, face) for p, face in faces).most_common()),
        "light": dict(Counter(_light(p) for p in seen).most_common()),
    }


def turn(face: Face) -> float:
    """Return how far the head is turned: the nose from the eyes' middle, in distances of the eyes; left is below 0."""
    (right_x, right_y), (left_x, left_y), (nose_x, nose_y) = face.landmarks[:3]
    across, down = left_x - right_x, left_y - right_y
    length = math.hypot(across, down) or 1.0
    middle_x, middle_y = (right_x + left_x) / 2, (right_y + left_y) / 2
    return ((nose_x - middle_x) * across + (nose_y - middle_y) * down) / length**2


def pose(face: Face) -> str:
    """Name the side to which a head is turned, as the viewer sees it."""
    turned = turn(face)
    return "to the left" if turned < -TURNED else "to the right" if turned > TURNED else "to the front"


def framing(picture: Picture, face: Face) -> str:
    """Name how much of the person a picture shows."""
    share = face.box[3] / picture.height
    if share >= CLOSE_UP:
        return "close-up"
    if share >= PORTRAIT:
        return "portrait"
    return "half body" if share >= HALF_BODY else "full body"


def _light(picture: Picture) -> str:
    light = picture.look.light
    return "dark" if light < DARK else "bright" if light > BRIGHT else "medium"


def _poses(faces: Sequence[tuple[Picture, Face]]) -> Iterator[Finding]:
    turns = [turn(face) for _, face in faces]
    if _spread(turns) < SAME_ANGLE:
        yield found(
            "same_pose",
            "note",
            "All faces are at the same angle",
            reason=f"The turn of the head differs by {_spread(turns):.2f} of the eyes' distance between most pictures.",
            advice="Add some from the left and from the right, or the LoRA can draw this one angle only.",
            evidence=[p.evidence(face) for p, face in faces[:6]],
        )


def _framings(faces: Sequence[tuple[Picture, Face]]) -> Iterator[Finding]:
    (name, number), *_ = Counter(framing(p, face) for p, face in faces).most_common()
    shares = [math.log(face.box[3] / p.height) for p, face in faces]
    if number >= SAME_SHARE * len(faces) and _spread(shares) < math.log(1.25):
        yield found(
            "same_framing",
            "note",
            f"Nearly every picture is a {name}",
            reason=f"{number} of {len(faces)}, and the faces have almost the same size in all of them.",
            advice="Mix close-ups, portraits and pictures that show more of the body.",
            evidence=[p.evidence(face) for p, face in faces[:6]],
        )


def _lights(pictures: Sequence[Picture]) -> Iterator[Finding]:
    faces = [p.look.face_light for p in pictures if p.look.face_light is not None]
    sides = [p.look.side for p in pictures if p.look.side is not None]
    whole = statistics.pstdev(p.look.light for p in pictures)
    if len(faces) < ENOUGH or whole >= SAME_LUMA:
        return
    if statistics.pstdev(faces) < SAME_FACE and statistics.pstdev(sides) < SAME_SIDE:
        yield found(
            "same_light",
            "note",
            "The light is the same in all pictures",
            reason=f"The faces' brightness varies by {statistics.pstdev(faces):.2f} of 1 and comes from the same side.",
            advice="Add pictures by daylight, indoors and in the evening.",
            evidence=[p.evidence() for p in pictures[:6]],
        )


def _backgrounds(pictures: Sequence[Picture]) -> Iterator[Finding]:
    shared = [alike(a.look, b.look) for a, b in combinations(pictures, 2)]
    if statistics.fmean(shared) > SAME_BACKDROP:
        yield found(
            "same_background",
            "warn",
            "The background is the same in all pictures",
            reason=f"The colours around the person agree by {statistics.fmean(shared):.0%} on average. "
            "The LoRA would draw this place with the person, whatever the prompt says.",
            advice="Add pictures from other places, and name the place in each caption.",
            evidence=[p.evidence() for p in pictures[:6]],
        )


def _expressions(faces: Sequence[tuple[Picture, Face]]) -> Iterator[Finding]:
    front = [(p, face) for p, face in faces if pose(face) == "to the front"]
    widths = [_mouth(face) for _, face in front]
    if len(front) >= ENOUGH and _spread(widths) < SAME_MOUTH:
        yield found(
            "same_expression",
            "note",
            "The expression is the same in all pictures",
            reason=f"The mouth's width differs by {_spread(widths):.3f} of the eyes' distance between most pictures.",
            advice="Add some with a smile, some without, some talking.",
            evidence=[p.evidence(face) for p, face in front[:6]],
        )


def _mouth(face: Face) -> float:
    right_eye, left_eye, _, right, left = face.landmarks
    return math.dist(left, right) / (math.dist(left_eye, right_eye) or 1.0)


def _spread(values: Sequence[float]) -> float:
    """Return the distance between the 10th and the 90th percentile."""
    deciles = statistics.quantiles(values, n=10, method="inclusive")
    return deciles[-1] - deciles[0]
