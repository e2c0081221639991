"""The one place where the screen's handlers meet errors: each becomes a message that says what to do next."""

from __future__ import annotations

import functools
import html
import json
from collections.abc import Callable
from typing import Any, NamedTuple, ParamSpec, TypeVar

import gradio as gr
import structlog
from pydantic import ValidationError

from isengard.errors import IsengardError
from isengard.observability import request_context

P = ParamSpec("P")
R = TypeVar("R")
TOAST_SECONDS = 15.0
# Handlers only read files and queue jobs: many may run at once.
QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "concurrency_limit": None}
# For what follows several fields: one handler for all of them, so that an earlier answer never comes after a later one.
LATEST: dict[str, Any] = {**QUIET, "trigger_mode": "always_last"}
log = structlog.get_logger("web")


class Said(NamedTuple):
    """What a person is told of an error."""

    message: str
    hint: str


def said(error: Exception, correlation: str) -> Said:
    """Put an error into words; an unexpected one is logged with its traceback."""
    if isinstance(error, IsengardError):
        return Said(error.message, error.hint)
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        name = str(first["loc"][-1]).replace("_", " ").capitalize() if first["loc"] else "The request"
        reason = first["msg"].removeprefix("Value error, ")
        return Said(f"{name}: {reason}.", "Change it and try again.")
    log.error("handler.failed", exc_info=error)
    return Said("Something went wrong inside Isengard.", f"The log says more about {correlation}.")


def handled(work: Callable[P, R]) -> Callable[P, R]:
    """Wrap a handler: bind the correlation id, and show what goes wrong as a message with its hint."""

    @functools.wraps(work)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with request_context("web") as correlation:
            try:
                return work(*args, **kwargs)
            except Exception as error:
                message, hint = said(error, correlation)
                text = f"<strong>{html.escape(message)}</strong><br>{html.escape(hint)}"
                raise gr.Error(text, TOAST_SECONDS, title="Not done", print_exception=False) from error

    return run


def answered(work: Callable[P, str]) -> Callable[P, str]:
    """Wrap a handler that answers in words: what goes wrong is its answer, in place of a message."""

    @functools.wraps(work)
    def run(*args: P.args, **kwargs: P.kwargs) -> str:
        with request_context("web") as correlation:
            try:
                return work(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - said() logs what nobody expected
                message, hint = said(error, correlation)
                return note(message, hint, "warn")

    return run


def reported(work: Callable[P, str]) -> Callable[P, str]:
    """Wrap a handler that answers with JSON for the script: what goes wrong is its answer, under ``error``."""

    @functools.wraps(work)
    def run(*args: P.args, **kwargs: P.kwargs) -> str:
        with request_context("web") as correlation:
            try:
                return work(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - said() logs what nobody expected
                return json.dumps({"error": said(error, correlation)._asdict()})

    return run


def note(title: str, text: str, look: str = "") -> str:
    """Return a short note as markup; both texts are escaped."""
    return f'<div class="isg-note {look}"><strong>{html.escape(title)}</strong><p>{html.escape(text)}</p></div>'
