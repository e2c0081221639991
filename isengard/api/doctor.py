"""Routes of the Dataset Doctor."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Query
from pydantic import BaseModel, Field

from isengard.api.problems import responses
from isengard.domain.checkup import Checkup
from isengard.services.house import Isengard

Base = Annotated[str, Query(description="What it is meant for; empty: what this machine would train.", max_length=80)]


class FindingChoice(BaseModel):
    """Which finding is meant."""

    finding: str = Field(description="Its id.", max_length=200, examples=["no_face.0a1b2c3d4e5f"])


class IgnoreChoice(FindingChoice):
    """Which finding to ignore, or to take seriously again."""

    ignored: bool = True


def router(isengard: Isengard) -> APIRouter:
    """Return the routes under /api/characters/{id}/doctor."""
    routes = APIRouter(prefix="/api/characters", tags=["doctor"], responses=responses(404, 422))
    doctor = isengard.doctor

    @routes.get("/{character_id}/doctor")
    def report(character_id: str, base_model: Base = "") -> Checkup:
        """Examine a character's pictures before they cost any GPU time.

        A large set is examined in parts: while `verdict` is `examining`, ask again.
        """
        return doctor.report(character_id, base_model)

    @routes.post("/{character_id}/doctor/fix", responses=responses(409))
    def fix(character_id: str, chosen: Annotated[FindingChoice, Body()], base_model: Base = "") -> Checkup:
        """Do what a finding proposes; the undo of the pictures takes it back. Returns the new report."""
        return doctor.fix(character_id, chosen.finding, base_model)

    @routes.post("/{character_id}/doctor/ignore", responses=responses(409))
    def ignore(character_id: str, chosen: Annotated[IgnoreChoice, Body()], base_model: Base = "") -> Checkup:
        """Remember that a finding does not matter, or, with `ignored: false`, that it does again."""
        return doctor.ignore(character_id, chosen.finding, base_model, ignored=chosen.ignored)

    return routes
