"""Errors as RFC 9457 problem details: what happened, what to do, and the id to look for in the logs."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from isengard import errors
from isengard.observability import correlation_id

MEDIA_TYPE = "application/problem+json"
log = structlog.get_logger("api")

# The first class of an error's ancestry that stands here decides.
STATUS: dict[type[errors.IsengardError], HTTPStatus] = {
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.NotAllowed: HTTPStatus.UNAUTHORIZED,
    errors.TooMany: HTTPStatus.TOO_MANY_REQUESTS,
    errors.NotImplementedYet: HTTPStatus.NOT_IMPLEMENTED,
    errors.UserError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.DiskFull: HTTPStatus.INSUFFICIENT_STORAGE,
    errors.QuotaExceeded: HTTPStatus.INSUFFICIENT_STORAGE,
    errors.ReadOnlyVolume: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.ResourceError: HTTPStatus.CONFLICT,
    errors.BackendError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.IsengardError: HTTPStatus.INTERNAL_SERVER_ERROR,
}


class Problem(BaseModel):
    """What every error answer looks like."""

    type: str = "about:blank"
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["There is no such character."], description="What happened.")
    hint: str = Field(examples=["It may have been deleted; reload the page."], description="What to do next.")
    correlation_id: str = Field(examples=["req-0193a0c2f1e87d0a9f3c5b7a1e2d4c6b"])
    errors: list[dict[str, Any]] | None = Field(default=None, description="For 422: each field that is wrong.")


def problem(
    status: HTTPStatus, detail: str, hint: str = "", fields: list[dict[str, Any]] | None = None
) -> JSONResponse:
    """Build the answer."""
    body = Problem(
        title=status.phrase,
        status=status,
        detail=detail,
        hint=hint,
        correlation_id=correlation_id(),
        errors=fields,
    )
    return JSONResponse(body.model_dump(exclude_none=True), status, media_type=MEDIA_TYPE)


def install(api: FastAPI) -> None:
    """Make every error of every route a problem."""
    api.add_exception_handler(errors.IsengardError, _ours)
    api.add_exception_handler(RequestValidationError, _invalid)
    api.add_exception_handler(HTTPException, _http)


def status_of(error: errors.IsengardError) -> HTTPStatus:
    """Return the HTTP status of an error."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def told(error: errors.IsengardError) -> JSONResponse:
    """Build the answer to one of our own errors."""
    answer = problem(status_of(error), error.message, error.hint)
    if isinstance(error, errors.TooMany):
        answer.headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, errors.NotAllowed):
        answer.headers["WWW-Authenticate"] = 'Bearer realm="Isengard"'
    return answer


async def _ours(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, errors.IsengardError)
    return told(error)


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    fields = [{"field": ".".join(map(str, e["loc"][1:])), "message": e["msg"]} for e in error.errors()]
    first = fields[0] if fields else {"field": "", "message": "The request cannot be read."}
    where = f"{first['field']}: " if first["field"] else ""
    hint = "Correct it and send it again; /docs shows every field with an example."
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{where}{first['message']}", hint, fields)


async def _http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return problem(HTTPStatus(error.status_code), str(error.detail), "See /docs for what there is.")


def unforeseen(error: Exception) -> JSONResponse:
    """Log a bug with its traceback; build an answer that names where to look."""
    log.error("request.broke", exc_info=error)
    hint = f"Look for {correlation_id()} in the api log, and report it."
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "Something went wrong inside Isengard.", hint)


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the errors of a route for OpenAPI."""
    return {
        status: {"model": Problem, "content": {MEDIA_TYPE: {}}, "description": HTTPStatus(status).phrase}
        for status in statuses
    }
