"""Routes of jobs: all kinds under /api/jobs, each kind under its own name too."""

from __future__ import annotations

import mimetypes
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Body, File, Query, UploadFile
from fastapi.responses import FileResponse, Response, StreamingResponse
from pydantic import BaseModel

from isengard.api import events
from isengard.api.parameters import CharacterFilter, Cursor, Key, LastEventId, Limit
from isengard.api.problems import responses
from isengard.domain.event import Metric, Preview
from isengard.domain.job import Job, Status
from isengard.domain.page import Page
from isengard.domain.preflight import Preflight
from isengard.domain.request import GenerationRequest, JobType, TrainingConfig, TrainingRequest
from isengard.errors import NotFound
from isengard.plugins.protocols import Abilities, TrainingAbilities
from isengard.services.house import Isengard
from isengard.services.job_log import JobLog
from isengard.services.jobs import Jobs
from isengard.services.start_pictures import StartPicture

TRAIN = {"quick": {"value": {"character_id": "char-0193…", "config": {"preset": "quick"}}}}
DRAW = {
    "four": {"value": {"prompt": "a photo of ohwx person on a beach", "character_id": "char-0193…", "count": 4}},
    "grid": {
        "value": {
            "prompt": "a photo of ohwx person on a beach",
            "character_id": "char-0193…",
            "seed": 7,
            "grid": {
                "x": {"field": "lora_strength", "values": [0, 0.5, 1]},
                "y": {"field": "steps", "values": [8, 12]},
            },
        }
    },
}
Price = Annotated[float | None, Query(gt=0, le=10_000, description="Of the machine; empty: as the settings say.")]
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
        kind: Annotated[JobType | None, Query(alias="type")] = None,
        status: StatusFilter = None,
        character_id: CharacterFilter = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> Page[Job]:
        """List jobs of every kind, newest first."""
        return jobs.list(kind, status, character_id, cursor, limit)

    @routes.get("/{job_id}/files/{name}", response_class=Response)
    def file(job_id: str, name: str) -> Response:
        """Return a sample or preview picture."""
        path = jobs.file(job_id, name)
        try:  # read here: a job that ends sweeps its previews away while they are being sent
            content = path.read_bytes()
        except FileNotFoundError as error:
            raise NotFound("The job has no such file any more.", "Its pictures are in the gallery.") from error
        return Response(content, media_type=mimetypes.guess_type(name)[0] or "application/octet-stream")

    _one(routes, jobs, None)
    return routes


def _training(isengard: Isengard) -> APIRouter:
    routes, training = _router("training"), isengard.training

    @routes.post("", status_code=201)
    def submit(request: Annotated[TrainingRequest, Body(openapi_examples=TRAIN)], key: Key = None) -> Job:
        """Train a LoRA on a character's pictures."""
        return training.submit(request, key)

    @routes.post("/preflight")
    def preflight(
        request: Annotated[TrainingRequest, Body(openapi_examples=TRAIN)], price_per_hour: Price = None
    ) -> Preflight:
        """Say what a training would take on this machine and whether that fits, without making it."""
        return isengard.preflight.look(request, price_per_hour)

    @routes.get("/presets")
    def presets(base_model: str = "", character_id: str = "") -> dict[str, TrainingConfig]:
        """Return what each preset means for a base model (empty: the best one here) and a character's pictures."""
        return training.presets(base_model, character_id)

    @routes.get("/abilities")
    def abilities(base_model: str = "") -> TrainingAbilities:
        """Return which settings have an effect for a base model here, and where its presets come from."""
        return training.abilities(base_model)

    _listed(routes, isengard.jobs, "training")
    _one(routes, isengard.jobs, "training")
    return routes


def _generation(isengard: Isengard) -> APIRouter:
    routes, generation = _router("generation"), isengard.generation

    @routes.post("", status_code=201)
    def submit(request: Annotated[GenerationRequest, Body(openapi_examples=DRAW)], key: Key = None) -> Job:
        """Generate pictures."""
        return generation.submit(request, key)

    @routes.get("/abilities")
    def abilities(base_model: str = "", workflow: str = "") -> Abilities:
        """Return what a base model's backend can do with it: samplers, schedulers, tasks, workflows."""
        return generation.abilities(base_model, workflow)

    @routes.post("/images", status_code=201)
    def send_picture(file: Annotated[UploadFile, File()]) -> StartPicture:
        """Send a picture to start from; its id goes into `init_image`."""
        return isengard.start_pictures.add(file.file.read())

    @routes.get("/images/{image_id}", response_class=FileResponse)
    def picture(image_id: str) -> FileResponse:
        """Return a picture that was sent to start from."""
        return FileResponse(isengard.start_pictures.file(image_id))

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

    @routes.post("/{job_id}/retry", status_code=202)
    def retry(job_id: str) -> Job:
        """Queue a failed or cancelled job again."""
        return jobs.retry(known(job_id).id)

    @routes.get("/{job_id}/events", response_class=StreamingResponse)
    async def follow(job_id: str, last_event_id: LastEventId = None) -> StreamingResponse:
        """Follow a job by server-sent events; ends after its last one."""
        return await events.of_job(jobs, job_id, last_event_id)

    _wishes(routes, jobs, known)
    _made_on_the_way(routes, jobs)


def _wishes(routes: APIRouter, jobs: Jobs, known: Callable[[str], Job]) -> None:
    @routes.post("/{job_id}/stop", status_code=202)
    def stop(job_id: str) -> Job:
        """End a training and keep what is trained so far."""
        return jobs.stop(known(job_id).id)

    @routes.post("/{job_id}/save-now", status_code=202)
    def save_now(job_id: str) -> Job:
        """Have a training save a checkpoint after the step at work."""
        return jobs.save_now(known(job_id).id)

    @routes.post("/{job_id}/sample-now", status_code=202)
    def sample_now(job_id: str) -> Job:
        """Have a training draw its sample pictures after the step at work."""
        return jobs.sample_now(known(job_id).id)


def _made_on_the_way(routes: APIRouter, jobs: Jobs) -> None:
    @routes.get("/{job_id}/loss")
    def loss(job_id: str) -> LossCurve:
        """Return the loss curve."""
        return LossCurve(items=list(jobs.loss(job_id)))

    @routes.get("/{job_id}/previews")
    def previews(job_id: str) -> Previews:
        """Return the sample pictures made so far."""
        return Previews(items=list(jobs.previews(job_id)))

    @routes.get("/{job_id}/log")
    def log(job_id: str) -> JobLog:
        """Return what happened in words, and the end of what the trainer printed."""
        return jobs.log(job_id)
