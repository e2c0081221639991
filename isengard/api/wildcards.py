"""Routes of wildcard lists and comparison grids."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Response
from fastapi.responses import FileResponse

from isengard.api.problems import responses
from isengard.services.house import Isengard
from isengard.services.library import GridOfPictures
from isengard.services.wildcards import WordList

WORDS = {"hair": {"value": {"text": "black hair\nblonde hair\nred hair"}}}


def routers(isengard: Isengard) -> list[APIRouter]:
    """Return the routes under /api/wildcards and /api/grids."""
    return [_wildcards(isengard), _grids(isengard)]


def _wildcards(isengard: Isengard) -> APIRouter:
    routes = APIRouter(prefix="/api/wildcards", tags=["generation"], responses=responses(404, 422))
    wildcards = isengard.wildcards

    @routes.get("")
    def list_names() -> list[str]:
        """List the names; a prompt uses one as `__name__`."""
        return wildcards.names()

    @routes.get("/{name}")
    def get(name: str) -> WordList:
        """Return one list."""
        return wildcards.get(name)

    @routes.put("/{name}")
    def put(name: str, text: Annotated[str, Body(embed=True, openapi_examples=WORDS)]) -> WordList:
        """Make or change a list: one choice a line."""
        return wildcards.save(name, text)

    @routes.delete("/{name}", status_code=204, response_class=Response)
    def delete(name: str) -> None:
        """Delete a list."""
        wildcards.delete(name)

    return routes


def _grids(isengard: Isengard) -> APIRouter:
    routes = APIRouter(prefix="/api/grids", tags=["outputs"], responses=responses(404))

    @routes.get("/{job_id}")
    def grid(job_id: str) -> GridOfPictures:
        """Return a comparison grid: its axes, and its pictures with column and row."""
        return isengard.outputs.grid(job_id)

    @routes.get("/{job_id}/file", response_class=FileResponse)
    def file(job_id: str) -> FileResponse:
        """Return the grid as one picture with its labels."""
        return FileResponse(isengard.outputs.grid_file(job_id))

    return routes
