"""Whether the pictures show one and the same person."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from isengard.domain.checkup import Finding, Person
from isengard.infra.identity import Reference
from isengard.services.doctor.case import Case, Picture, found, remove

OTHER, UNSURE = 0.3, 0.5  # scores: below the one it is someone else, below the other nobody can be sure
ENOUGH = 3  # faces before one of them can be called the odd one out
MANY = 8  # of the person's own pictures before they tell how much these differ from each other
FAR = 5.0  # standard deviations, robustly estimated, that an own picture stays within
LEAST_DEVIATION = 0.04  # of cosines


def check(case: Case) -> Iterator[Finding]:
    """Compare each face with what the others agree on."""
    if case.reference is None or not case.faces_are_known:
        return
    judged = [(picture, _score(case, picture)) for picture in case.pictures if picture.faces]
    others = [(picture, score) for picture, score in judged if score < OTHER]
    asked = {**case.reference.members, **case.reference.outliers}  # those who said who the person is
    if len(judged) < ENOUGH and others:
        yield _two_people([picture for picture, _ in judged])
    elif sum(picture.id in asked for picture, _ in others) * 2 >= len(asked):
        yield _mixed(case, [picture for picture, _ in judged])
    else:
        least = unlike(case.reference)
        for picture, score in judged:
            own = case.reference.members.get(picture.id, 1.0)
            if score < UNSURE:
                yield _someone(case, picture, score)
            elif own < least:
                yield _unlike(case, picture, own)


def unlike(known: Reference) -> float:
    """Return the leave-one-out cosine below which a picture is unlike this character's others.

    Five deviations under the median, the deviation being 1.4826 times the median absolute one (as for a normal
    distribution). It finds people who look alike, and drawn ones, whom the general threshold takes for one.
    """
    cosines = list(known.members.values())
    if len(cosines) < MANY:
        return -1.0
    middle = statistics.median(cosines)
    deviation = 1.4826 * statistics.median(abs(cosine - middle) for cosine in cosines)
    return middle - FAR * max(deviation, LEAST_DEVIATION)


def person(case: Case) -> Person | None:
    """Return how well the pictures agree."""
    known = case.reference
    if known is None or case.analyzer is None or not case.faces_are_known:
        return None
    middle = known.expected()
    return Person(
        backend=known.backend,
        model_sha256=known.model_sha256,
        agreeing=len(known.members),
        disagreeing=len(known.outliers),
        median_score=round(case.analyzer.score(middle), 3),
        lowest_score=round(case.analyzer.score(known.expected(0.0)), 3),
        median_cosine=round(middle, 4),
    )


def _score(case: Case, picture: Picture) -> float:
    face = case.main_face(picture)
    return case.score(face, picture) if face else 0.0


def _someone(case: Case, picture: Picture, score: float) -> Finding:
    face = case.main_face(picture)
    surely = score < OTHER
    return found(
        "other_person" if surely else "unsure_person",
        "stop" if surely else "warn",
        "This is another person" if surely else "This may be another person",
        reason=f"Against the other pictures the face scores {score:.2f}; the same person scores 0.7 or more.",
        advice="" if surely else "An unusual angle, light or expression can do this too: look at it.",
        evidence=[picture.evidence(face)],
        fix=remove([picture]),
        about=[picture],
    )


def _unlike(case: Case, picture: Picture, cosine: float) -> Finding:
    usual = case.reference.expected() if case.reference else 1.0
    return found(
        "unsure_person",
        "note",
        "This face is unlike the others",
        reason=f"Its cosine to the others is {cosine:.2f}, that of the others to each other {usual:.2f}. "
        "Somebody who looks alike, an unusual angle, bad light or blur does that.",
        advice="Look whether it is the same person, and shown well.",
        evidence=[picture.evidence(case.main_face(picture))],
        fix=remove([picture]),
        about=[picture],
    )


def _mixed(case: Case, pictures: list[Picture]) -> Finding:
    return found(
        "mixed_people",
        "stop",
        "The pictures show several people",
        reason="Fewer than half of the faces agree with each other, so nobody can tell whom the LoRA should learn.",
        advice="Keep the pictures of one person; make a character for each of the others.",
        evidence=[p.evidence(case.main_face(p)) for p in pictures][:12],
        about=pictures,
    )


def _two_people(pictures: list[Picture]) -> Finding:
    return found(
        "mixed_people",
        "stop",
        "The two faces are not the same person",
        reason="With two pictures nobody can tell which of them is the right one.",
        advice="Remove the wrong one, or add more pictures of the right person.",
        evidence=[p.evidence(p.faces[0]) for p in pictures],
        about=pictures,
    )
