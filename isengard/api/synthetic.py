"""Routes of synthetic pictures, under /api/characters/{id}/synthetic."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field, ValidationError

from isengard.api.parameters import Key, Size
from isengard.api.problems import responses
from isengard.domain.job import Job
from isengard.domain.synthetic import Decision, SyntheticConfig
from isengard.plugins.protocols import BackendStatus
from isengard.services.house import Isengard
from isengard.services.synthetic import Expanded, Taken

FOREVER = {"Cache-Control": "private, max-age=31536000, immutable"}
EXAMPLES = {
    "dry run": {"value": {"target_count": 10, "dry_run": True}},
    "fifty": {"value": {"target_count": 50, "similarity_threshold": 0.7, "seed_start": 42}},
}


async def _config(request: Request) -> SyntheticConfig:
    """Read the body as JSON whatever the sender calls it: `curl -d` calls it a form."""
    try:
        return SyntheticConfig.model_validate_json(await request.body() or b"{}")
    except ValidationError as error:
        wrong = [{**one, "loc": ("body", *one["loc"])} for one in error.errors(include_url=False)]
        raise RequestValidationError(wrong) from error


Config = Annotated[SyntheticConfig, Depends(_config)]
BODY: dict[str, Any] = {
    "requestBody": {
        "content": {"application/json": {"schema": SyntheticConfig.model_json_schema(), "examples": EXAMPLES}}
    }
}


class ThresholdPatch(BaseModel):
    """Thresholds to change; those left out stay."""

    model_config = {"extra": "forbid"}

    similarity_threshold: float | None = Field(default=None, ge=0, le=1)
    min_sharpness: float | None = Field(default=None, ge=0, le=1)
    copy_threshold: float | None = Field(default=None, ge=0.5, le=1)
    duplicate_threshold: float | None = Field(default=None, ge=0.5, le=1)
    min_aesthetic: float | None = Field(default=None, ge=0, le=1, description="null: any.")

    def given(self) -> dict[str, float | None]:
        """Return what is to change; null changes nothing where it means nothing."""
        sent = self.model_dump(exclude_unset=True)
        return {name: value for name, value in sent.items() if value is not None or name == "min_aesthetic"}


class DecisionPatch(BaseModel):
    """A person's word on a picture; null leaves it to the filters."""

    decision: Decision | None


class Chosen(BaseModel):
    """Which pictures to train on."""

    pictures: list[str] | None = Field(default=None, description="Ids; null: all that passed.")


class Ways(BaseModel):
    """What can make synthetic pictures here."""

    items: list[BackendStatus]


def router(isengard: Isengard) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/api/characters", tags=["synthetic"], responses=responses(404, 409, 422))
    synthetic = isengard.synthetic

    @routes.get("/synthetic/sources")
    def sources() -> Ways:
        """List what can make synthetic pictures here, and what the others lack."""
        return Ways(items=list(synthetic.ways()))

    @routes.post("/{character_id}/synthetic", status_code=201, openapi_extra=BODY, responses=responses(503))
    def expand(character_id: str, config: Config, key: Key = None) -> Job:
        """Make synthetic pictures of a character as a job: follow, cancel and retry it under /api/jobs."""
        return synthetic.submit(character_id, config, key)

    _made(routes, isengard)
    return routes


def _made(routes: APIRouter, isengard: Isengard) -> None:
    synthetic = isengard.synthetic

    @routes.get("/{character_id}/synthetic")
    def look(character_id: str) -> Expanded:
        """Return the pictures, accepted and rejected, with their scores."""
        return synthetic.look(character_id)

    @routes.patch("/{character_id}/synthetic")
    def adjust(character_id: str, patch: ThresholdPatch) -> Expanded:
        """Change thresholds; the pictures are sorted anew at once, and none is drawn."""
        return synthetic.adjust(character_id, patch.given())

    @routes.delete("/{character_id}/synthetic", status_code=204, response_class=Response)
    def clear(character_id: str) -> None:
        """Delete the synthetic pictures; those taken for training stay in the dataset."""
        synthetic.clear(character_id)

    @routes.post("/{character_id}/synthetic/use")
    def use(character_id: str, chosen: Chosen | None = None) -> Taken:
        """Take pictures into the dataset, with captions and marked as synthetic."""
        return synthetic.use(character_id, chosen.pictures if chosen else None)

    @routes.patch("/{character_id}/synthetic/{picture_id}")
    def decide(character_id: str, picture_id: str, patch: DecisionPatch) -> Expanded:
        """Keep or reject a picture by hand."""
        return synthetic.decide(character_id, picture_id, patch.decision)

    @routes.get("/{character_id}/synthetic/{picture_id}/file", response_class=FileResponse)
    def file(character_id: str, picture_id: str, size: Size = "full") -> FileResponse:
        """Return the picture itself."""
        return FileResponse(synthetic.file(character_id, picture_id, size), headers=FOREVER)
