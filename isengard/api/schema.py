"""Completes the OpenAPI: the errors that guards give in front of every route, all as problem documents."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI

from isengard.api.problems import MEDIA_TYPE

READS = {"get", "head", "options"}
PROBLEM = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}


def install(api: FastAPI) -> None:
    """Make ``/openapi.json`` and ``/docs`` show the completed schema."""
    told = api.openapi

    def openapi() -> dict[str, Any]:
        if api.openapi_schema is None:
            completed(told())
        return told()

    # As FastAPI's documentation on extending OpenAPI has it.
    api.openapi = openapi  # type: ignore[method-assign]


def completed(schema: dict[str, Any]) -> None:
    """Change a schema in place."""
    for verbs in schema["paths"].values():
        for verb, operation in verbs.items():
            if isinstance(operation, dict):
                _operation(verb, operation)
    for unused in ("HTTPValidationError", "ValidationError"):
        schema["components"]["schemas"].pop(unused, None)
    _plain_tuples(schema["components"])


def _operation(verb: str, operation: dict[str, Any]) -> None:
    answers = operation["responses"]
    for status in _possible(verb, operation):
        answers.setdefault(str(status), {"description": HTTPStatus(status).phrase})
    for status, answer in answers.items():
        only_described = "content" not in answer or MEDIA_TYPE in answer["content"]
        if status == "422" or (status >= "400" and only_described):
            answer["content"] = PROBLEM


def _possible(verb: str, operation: dict[str, Any]) -> set[int]:
    """Return the errors that can come before a route is reached, or from the queue behind it."""
    found = {401, 403, 503}
    if verb not in READS:
        found |= {409, 429, 507}
    if "requestBody" in operation:
        found |= {400, 413}
    if operation.get("parameters") or "requestBody" in operation:
        found |= {422}
    return found


def _plain_tuples(value: Any) -> None:
    """Say a tuple of one type as an array of a fixed length, which more programs understand than ``prefixItems``."""
    if isinstance(value, list):
        for item in value:
            _plain_tuples(item)
    if not isinstance(value, dict):
        return
    kinds = value.get("prefixItems")
    if isinstance(kinds, list) and kinds and all(kind == kinds[0] for kind in kinds):
        value["items"] = value.pop("prefixItems")[0]
    for inner in value.values():
        _plain_tuples(inner)
