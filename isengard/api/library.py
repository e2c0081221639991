"""Routes of what was made and what can be used: LoRAs, outputs, models."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse

from isengard.api import checkpoints, loras, models
from isengard.api.datasets import FOREVER
from isengard.api.parameters import CharacterFilter, Cursor, Limit, Size
from isengard.api.problems import responses
from isengard.domain.output import Output
from isengard.domain.page import Page
from isengard.services.house import Isengard


def routers(isengard: Isengard) -> list[APIRouter]:
    """Return the routes under /api/loras, /api/checkpoints, /api/outputs and /api/models."""
    return [loras.router(isengard), checkpoints.router(isengard), _outputs(isengard), models.router(isengard)]


def _outputs(isengard: Isengard) -> APIRouter:
    routes, outputs = (
        APIRouter(prefix="/api/outputs", tags=["outputs"], responses=responses(404, 422)),
        isengard.outputs,
    )

    @routes.get("")
    def list_outputs(character_id: CharacterFilter = None, cursor: Cursor = None, limit: Limit = 60) -> Page[Output]:
        """List generated pictures, newest first, with the settings of each."""
        return outputs.list(character_id, cursor, limit)

    @routes.get("/{output_id}")
    def get(output_id: str) -> Output:
        """Return one picture's record."""
        return outputs.get(output_id)

    @routes.get("/{output_id}/file", response_class=FileResponse)
    def file(output_id: str, size: Size = "full") -> FileResponse:
        """Return the picture; the full one carries its settings inside."""
        return FileResponse(outputs.file(output_id, size), headers=FOREVER)

    @routes.delete("/{output_id}", status_code=204, response_class=Response)
    def delete(output_id: str) -> None:
        """Delete one picture."""
        outputs.delete(output_id)

    return routes
