"""Whether this may be trained, and what may be done with what comes out."""

from __future__ import annotations

from collections.abc import Iterator

from isengard.domain.checkup import Finding
from isengard.services.doctor.case import Case, found


def check(case: Case) -> Iterator[Finding]:
    """Look at consent and licences."""
    if case.character.consent is None:
        yield found(
            "consent_missing",
            "stop",
            "Nobody has said whose face this is",
            reason="A LoRA of a real person needs that person's permission.",
            advice="State it once: yourself, someone who gave permission, or a fictional character.",
        )
    if not case.row.commercial_use:
        yield found(
            "licence",
            "note",
            f"{case.row.name} is not for commercial use",
            reason=f"Its licence is {case.row.license}, and it covers the LoRA and the pictures too.",
            advice="Choose another base model if you mean to earn money with the pictures.",
        ).model_copy(update={"id": f"licence.{case.row.id}"})


def licences(case: Case) -> tuple[str, ...]:
    """Return the licences that apply, in words."""
    base = f"{case.row.name}: {case.row.license}"
    if case.analyzer is None:
        return (base,)
    return base, f"{case.analyzer.name}: {case.analyzer.status().license}"
