"""Routes of checkpoints: what trainings had learnt on the way."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from isengard.api.parameters import Key
from isengard.api.problems import responses
from isengard.domain.lora import Lora
from isengard.services.house import Isengard


class CheckpointList(BaseModel):
    """Checkpoints of one training, oldest first."""

    items: list[Lora]


def router(isengard: Isengard) -> APIRouter:
    """Return the routes under /api/checkpoints."""
    routes = APIRouter(prefix="/api/checkpoints", tags=["checkpoints"], responses=responses(404, 422))
    checkpoints = isengard.checkpoints

    @routes.get("")
    def list_checkpoints(
        job_id: Annotated[str, Query(max_length=80, description="Of this training.")],
    ) -> CheckpointList:
        """List a training's checkpoints. Their ids can be used wherever a generation takes a LoRA's."""
        return CheckpointList(items=list(checkpoints.of_job(job_id)))

    @routes.post("/{checkpoint_id}/version", status_code=201)
    def make_version(checkpoint_id: str, key: Key = None) -> Lora:
        """Make a checkpoint the character's next version."""
        return checkpoints.make_version(checkpoint_id, key)

    @routes.delete("/{checkpoint_id}", status_code=204, response_class=Response)
    def delete(checkpoint_id: str) -> None:
        """Delete a checkpoint for good."""
        checkpoints.delete(checkpoint_id)

    return routes
