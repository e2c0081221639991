"""Routes of the registry: what is here, what it needs, and a job that fetches it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body
from pydantic import BaseModel, Field

from isengard.api.parameters import Key
from isengard.api.problems import responses
from isengard.domain.job import Job
from isengard.domain.page import Page
from isengard.domain.request import DownloadRequest
from isengard.services.house import Isengard
from isengard.services.models import Model


class Wanted(BaseModel):
    """Which of a model's sources to fetch."""

    source: str = Field(default="", max_length=80, description="Id of one of its downloads; empty: the first.")


def router(isengard: Isengard) -> APIRouter:
    """Return the routes under /api/models."""
    routes = APIRouter(prefix="/api/models", tags=["models"], responses=responses(404, 422))
    models = isengard.models

    @routes.get("")
    def list_models() -> Page[Model]:
        """List the registry: what is here, what it can do, what it needs, its licence."""
        return models.list()

    @routes.get("/{model_id}")
    def get(model_id: str) -> Model:
        """Return one model."""
        return models.get(model_id)

    @routes.post("/{model_id}/download", status_code=201, responses=responses(409, 503, 507))
    def download(model_id: str, wanted: Annotated[Wanted | None, Body()] = None, key: Key = None) -> Job:
        """Fetch a model's files as a job: follow, cancel and retry it under /api/jobs."""
        source = wanted.source if wanted else ""
        return models.download(DownloadRequest(model_id=model_id, source=source), key)

    return routes
