"""Routes of jobs: all kinds under /api/jobs, each kind under its own name too."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Body, Query
from fastapi.responses import FileResponse, StreamingResponse
from pydantic import BaseModel

from isengard.api import events
from isengard.api.parameters import CharacterFilter, Cursor, Key, LastEventId, Limit
from isengard.api.problems import responses
from isengard.domain.event import Metric, Preview
from isengard.domain.job import Job, Status
from isengard.domain.page import Page
from isengard.domain.request import GenerationRequest, JobType, TrainingConfig, TrainingRequest
from isengard.errors import NotFound
from isengard.services.house import Isengard
from isengard.services.jobs import Jobs

TRAIN = {"quick": {"value": {"character_id": "char-0193…", "config": {"preset": "quick"}}}}
DRAW = {
    "four": {"value": {"prompt": "a photo of ohwx person on a beach", "character_id": "char-0193…", "count": 4}},
}
StatusFilter = Annotated[Status | None, Query(alias="status", description="Only in this state.")]


class LossCurve(BaseModel):
    """Loss and learning rate by step."""

    items: list[Metric]


class Previews(BaseModel):
    """Sample pictures, oldest first."""

    items: list[Preview]


def routers(isengard: Isengard) -> list[APIRouter]:
    """Return the routes under /api/jobs, /api/training and /api/generation."""
    return [_all(isengard), _training(isengard), _generation(isengard)]


def _router(name: str) -> APIRouter:
    return APIRouter(prefix=f"/api/{name}", tags=[name], responses=responses(404, 409, 422, 503))


def _all(isengard: Isengard) -> APIRouter:
    routes, jobs = _router("jobs"), isengard.jobs

    @routes.get("")
    def list_jobs(
        kind: Annotated[Literal["training", "generation"] | None, Query(alias="type")] = None,
        status: StatusFilter = None,
        character_id: CharacterFilter = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> Page[Job]:
        """List jobs of every kind, newest first."""
        return jobs.list(kind, status, character_id, cursor, limit)

    @routes.get("/{job_id}/files/{name}", response_class=FileResponse)
    def file(job_id: str, name: str) -> FileResponse:
        """Return a sample or preview picture."""
        return FileResponse(jobs.file(job_id, name))

    _one(routes, jobs, None)
    return routes


def _training(isengard: Isengard) -> APIRouter:
    routes, training = _router("training"), isengard.training

    @routes.post("", status_code=201)
    def submit(request: Annotated[TrainingRequest, Body(openapi_examples=TRAIN)], key: Key = None) -> Job:
        """Train a LoRA on a character's pictures."""
        return training.submit(request, key)

    @routes.get("/presets")
    def presets(base_model: str = "") -> dict[str, TrainingConfig]:
        """Return what each preset means for a base model; empty: the best one here."""
        return training.presets(base_model)

    _listed(routes, isengard.jobs, "training")
    _one(routes, isengard.jobs, "training")
    return routes


def _generation(isengard: Isengard) -> APIRouter:
    routes, generation = _router("generation"), isengard.generation

    @routes.post("", status_code=201)
    def submit(request: Annotated[GenerationRequest, Body(openapi_examples=DRAW)], key: Key = None) -> Job:
        """Generate pictures."""
        return generation.submit(request, key)

    @routes.get("/samplers")
    def samplers(base_model: str = "") -> list[str]:
        """Return the samplers of a base model."""
        return list(generation.samplers(base_model))

    _listed(routes, isengard.jobs, "generation")
    _one(routes, isengard.jobs, "generation")
    return routes


def _listed(routes: APIRouter, jobs: Jobs, kind: JobType) -> None:
    @routes.get("")
    def list_jobs(
        status: StatusFilter = None, character_id: CharacterFilter = None, cursor: Cursor = None, limit: Limit = 50
    ) -> Page[Job]:
        """List jobs of this kind, newest first."""
        return jobs.list(kind, status, character_id, cursor, limit)


def _one(routes: APIRouter, jobs: Jobs, kind: JobType | None) -> None:
    """Add the routes of one job; of another kind than ``kind`` it does not exist here."""

    def known(job_id: str) -> Job:
        job = jobs.get(job_id)
        if kind and job.type != kind:
            raise NotFound(f"{job_id} is a {job.type} job.", f"Ask for it under /api/{job.type} or /api/jobs.")
        return job

    @routes.get("/{job_id}")
    def get(job_id: str) -> Job:
        """Return a job."""
        return known(job_id)

    @routes.post("/{job_id}/cancel", status_code=202)
    def cancel(job_id: str) -> Job:
        """End it; what it made is thrown away."""
        return jobs.cancel(known(job_id).id)

    @routes.post("/{job_id}/stop", status_code=202)
    def stop(job_id: str) -> Job:
        """End a training and keep what is trained so far."""
        return jobs.stop(known(job_id).id)

    @routes.post("/{job_id}/retry", status_code=202)
    def retry(job_id: str) -> Job:
        """Queue a failed or cancelled job again."""
        return jobs.retry(known(job_id).id)

    @routes.get("/{job_id}/events", response_class=StreamingResponse)
    async def follow(job_id: str, last_event_id: LastEventId = None) -> StreamingResponse:
        """Follow a job by server-sent events; ends after its last one."""
        return await events.of_job(jobs, job_id, last_event_id)

    _made_on_the_way(routes, jobs)


def _made_on_the_way(routes: APIRouter, jobs: Jobs) -> None:
    @routes.get("/{job_id}/loss")
    def loss(job_id: str) -> LossCurve:
        """Return the loss curve."""
        return LossCurve(items=list(jobs.loss(job_id)))

    @routes.get("/{job_id}/previews")
    def previews(job_id: str) -> Previews:
        """Return the sample pictures made so far."""
        return Previews(items=list(jobs.previews(job_id)))
