"""The filters: from scores, thresholds and a person's decisions to accepted and rejected. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from isengard.domain.synthetic import Reason, SyntheticPicture, Thresholds

BITS = 4  # of a hex digit
MIN_FACE_EDGE = 32  # pixels; below, neither identity nor sharpness can be told
EXEMPT_FROM_COPY = frozenset({"augmentation"})  # a variation of a reference is what this source is asked for


def sorted_out(pictures: Iterable[SyntheticPicture], limits: Thresholds) -> tuple[SyntheticPicture, ...]:
    """Return the pictures with ``passed``, ``reasons`` and their nearest accepted picture set, in the same order.

    The first of two near-duplicates stays; one that is rejected for another reason hides nobody.
    """
    done: list[SyntheticPicture] = []
    accepted: list[SyntheticPicture] = []
    for picture in pictures:
        twin, alike = _nearest(picture, accepted)
        reasons = reasons_of(picture, limits, alike)
        passed = picture.decision == "keep" or (picture.decision is None and not reasons)
        known = {"duplicate_score": alike, "duplicate_of": twin, "reasons": reasons, "passed": passed}
        done.append(picture.model_copy(update=known))
        if passed:
            accepted.append(done[-1])
    return tuple(done)


def reasons_of(picture: SyntheticPicture, limits: Thresholds, duplicate: float | None = None) -> tuple[Reason, ...]:
    """Return every filter that a picture does not pass, the gravest first; a score that is missing fails nobody."""
    scores = picture.scores
    failed: list[tuple[Reason, bool]] = [
        ("no_face", scores.faces == 0),
        ("several_faces", scores.faces > 1),
        ("small_face", scores.face_edge is not None and scores.face_edge < MIN_FACE_EDGE),
        ("not_alike", _below(scores.similarity, limits.similarity_threshold)),
        ("copy_of_reference", _is_copy(picture, limits)),
        ("near_duplicate", duplicate is not None and duplicate >= limits.duplicate_threshold),
        ("blurred", _below(scores.sharpness, limits.min_sharpness)),
        ("plain", limits.min_aesthetic is not None and _below(scores.aesthetic, limits.min_aesthetic)),
    ]
    return tuple(reason for reason, fails in failed if fails)


def alikeness(one: str, other: str) -> float | None:
    """Return the share of equal bits of two fingerprints, 0 to 1 and 0.5 for unrelated ones; None without both."""
    if not one or not other:
        return None
    return round(1 - (int(one, 16) ^ int(other, 16)).bit_count() / (BITS * len(one)), 4)


def most_alike(fingerprints: Sequence[str], others: Iterable[tuple[str, str]]) -> tuple[float | None, str | None]:
    """Return the highest alikeness of any fingerprint to any ``(id, fingerprint)``, and that id."""
    found = [
        (like, key) for key, other in others for one in fingerprints if (like := alikeness(one, other)) is not None
    ]
    best = max(found, key=lambda pair: pair[0], default=None)
    return best or (None, None)


def _below(score: float | None, least: float) -> bool:
    return score is not None and score < least


def _is_copy(picture: SyntheticPicture, limits: Thresholds) -> bool:
    score = picture.scores.copy_score
    return picture.source not in EXEMPT_FROM_COPY and score is not None and score >= limits.copy_threshold


def _nearest(picture: SyntheticPicture, accepted: Sequence[SyntheticPicture]) -> tuple[str | None, float | None]:
    alike, key = most_alike([picture.scores.fingerprint], ((other.id, other.scores.fingerprint) for other in accepted))
    return key, alike
