"""Puts what was found together: every check, what a person chose to ignore, and the verdict."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from isengard.domain.checkup import Checkup, Finding, Verdict
from isengard.services.doctor import amount, captions, faces, people, rights, variety
from isengard.services.doctor.case import Case

ORDER = {"stop": 0, "warn": 1, "note": 2}
HEADLINES: dict[Verdict, str] = {
    "ready": "Nothing stands in the way of a good LoRA.",
    "usable": "It can be trained; what was found would make it better.",
    "not_ready": "Mend what stops it before you train.",
    "examining": "Still looking at the pictures.",
}


def checked(case: Case, ignored: Collection[str] = (), pending: int = 0) -> Checkup:
    """Return the report. ``pending``: pictures that nobody looked at yet, which the case leaves out."""
    findings = [
        finding.model_copy(update={"ignored": finding.id in ignored}) for finding in _findings(case, pending=pending)
    ]
    findings.sort(key=lambda finding: (finding.ignored, ORDER[finding.severity]))
    verdict = _verdict(findings, pending)
    return Checkup(
        character_id=case.character.id,
        verdict=verdict,
        headline=HEADLINES[verdict],
        pictures=len(case.pictures) + pending,
        looked_at=len(case.pictures),
        base_model=case.row.id,
        resolution=case.row.resolution,
        findings=tuple(findings),
        buckets=amount.buckets(case),
        person=people.person(case),
        variety=variety.counts(case),
        licences=rights.licences(case),
    )


def _findings(case: Case, *, pending: int) -> Iterator[Finding]:
    if pending:  # half a set would be judged by what is not there
        return
    yield from rights.check(case)
    yield from people.check(case)
    yield from amount.check(case)
    yield from faces.check(case)
    yield from captions.check(case)
    yield from variety.check(case)


def _verdict(findings: list[Finding], pending: int) -> Verdict:
    if pending:
        return "examining"
    worst = min((ORDER[finding.severity] for finding in findings if not finding.ignored), default=ORDER["note"])
    return {ORDER["stop"]: "not_ready", ORDER["warn"]: "usable"}.get(worst, "ready")  # type: ignore[return-value]
