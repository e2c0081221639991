"""Whether there are enough pictures, not too many, each only once, and large enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from isengard.domain.checkup import Bucket, Finding
from isengard.infra.fingerprint import distance, near
from isengard.services.doctor.case import Case, Picture, found, remove
from isengard.services.doctor.crops import bucket

FEW, MANY = 10, 60
ENLARGED = 1.5  # times each side: beyond it a base model learns the softness of enlarged pictures


def check(case: Case) -> Iterator[Finding]:
    """Count, compare and measure the pictures."""
    number = len(case.pictures)
    if number < FEW:
        yield found(
            "too_few",
            "warn",
            f"Only {number} picture{'s'[: number != 1]}",
            reason=f"With fewer than {FEW} a LoRA learns the pictures rather than the person.",
            advice="15 to 30 of different days, places and angles are best.",
        )
    if number > MANY:
        yield found(
            "too_many",
            "note",
            f"{number} pictures",
            reason=f"Beyond {MANY} more pictures add time, and the weakest of them set the quality.",
            advice="Keep the 20 to 40 best.",
        )
    yield from _unreadable(case)
    yield from _twins(case)
    yield from _too_small(case)


def buckets(case: Case) -> tuple[Bucket, ...]:
    """Return at which sizes the pictures would be trained, the most frequent first."""
    sizes = [(bucket(case, p), case.enlarged(p) > 1) for p in case.pictures if not p.trouble]
    count, larger = Counter(size for size, _ in sizes), Counter(size for size, grown in sizes if grown)
    return tuple(
        Bucket(width=width, height=height, pictures=number, enlarged=larger[width, height])
        for (width, height), number in count.most_common()
    )


def _unreadable(case: Case) -> Iterator[Finding]:
    for picture in (p for p in case.pictures if p.trouble):
        yield found(
            "unreadable",
            "stop",
            "This picture cannot be read",
            reason=picture.trouble,
            evidence=[picture.evidence()],
            fix=remove([picture]),
            about=[picture],
        )


def _twins(case: Case) -> Iterator[Finding]:
    waiting = list(case.pictures)
    while waiting:
        first = waiting.pop(0)
        group = [first, *(p for p in waiting if near(first.image.fingerprint, p.image.fingerprint))]
        if len(group) > 1:
            waiting = [p for p in waiting if p not in group]
            yield _twin(group)


def _twin(group: list[Picture]) -> Finding:
    best = max(group, key=lambda p: (p.width * p.height, _sharpness(p)))
    rest = [p for p in group if p is not best]
    apart = max(distance(best.image.fingerprint, p.image.fingerprint) for p in rest)
    same = apart == 0
    return found(
        "duplicate" if same else "near_duplicate",
        "warn",
        f"The same picture {len(group)} times" if same else f"{len(group)} pictures look almost the same",
        reason=("Nothing" if same else f"Only {apart} of 128 features") + " tells them apart. "
        "What is there twice counts twice: the LoRA learns this one picture rather than the person.",
        evidence=[best.evidence(note="the largest: it stays"), *(p.evidence() for p in rest)],
        fix=remove(rest, "Remove the others" if len(rest) > 1 else "Remove the other"),
        about=group,
    )


def _sharpness(picture: Picture) -> float:
    return picture.faces[0].sharpness if picture.faces else 0.0


def _too_small(case: Case) -> Iterator[Finding]:
    small = [p for p in case.pictures if not p.trouble and case.enlarged(p) > ENLARGED]
    if small:
        worst = min(small, key=lambda p: p.width * p.height)
        yield found(
            "low_resolution",
            "warn",
            f"{len(small)} picture{'s have' if len(small) > 1 else ' has'} few pixels",
            reason=f"{case.row.name} is trained at {case.row.resolution} x {case.row.resolution}; "
            f"the smallest here has {worst.width} x {worst.height}.",
            advice="Use the original files, or a base model with a lower resolution.",
            evidence=[p.evidence(note=f"{p.width} x {p.height}") for p in small],
            fix=remove(small, f"Remove {'them' if len(small) > 1 else 'picture'}"),
            about=small,
        )
