"""Logging in and out: a page for people, a token for programs, and a brake on guessing."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

import structlog
from fastapi import APIRouter, Body, Form, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, Field
from starlette.types import Scope

from isengard.api.login_page import HEADERS, login_page
from isengard.api.problems import responses
from isengard.errors import IsengardError, NotAllowed, TooMany
from isengard.infra.rates import Rates
from isengard.services.owner import SESSION_SECONDS, Owner

COOKIE = "isengard"
SECURE_COOKIE = "__Host-isengard"  # a neighbour under the same domain cannot set one of this name
TRIES, TRIES_OF_ALL, WINDOW_SECONDS = 10, 100, 300
log = structlog.get_logger("api.login")


class Session(BaseModel):
    """A token that stands for the password, for a program to send as a bearer token."""

    token: str
    expires_in: int = Field(description="Seconds.")


@dataclass(frozen=True)
class LogIn:
    """Checks a password, but no more than so many a client and altogether in five minutes."""

    owner: Owner
    rates: Rates

    def accept(self, password: str, who: str) -> bool:
        """Tell whether it is the password; raise TooMany, or QueueUnavailable when guesses cannot be counted."""
        if self.owner.has_seen(password):
            return True
        mine = f"login:{who}"
        wait = self.rates.take(mine, TRIES, WINDOW_SECONDS)
        wait = wait or self.rates.take("login", TRIES_OF_ALL, WINDOW_SECONDS)
        if wait:
            log.warning("login.braked", client=who)
            raise TooMany("Too many wrong passwords.", f"Try again in {wait} seconds.", wait)
        if not self.owner.is_password(password):
            log.warning("login.refused", client=who)
            return False
        self.rates.forget(mine)
        log.info("login.accepted", client=who)
        return True


def router(login: LogIn) -> APIRouter:
    """Return /login, /logout and /api/session."""
    routes = APIRouter()
    _pages(routes, login)

    @routes.post("/api/session", status_code=201, tags=["system"], responses=responses(401, 429, 503))
    def session(request: Request, password: Annotated[str, Body(embed=True, max_length=1000)]) -> Session:
        """Change the password for a token that is good for thirty days."""
        if not login.accept(password, client(request.scope)):
            raise NotAllowed("The password is wrong.", "It was printed when Isengard started for the first time.")
        return Session(token=login.owner.open_session(), expires_in=SESSION_SECONDS)

    return routes


def _pages(routes: APIRouter, login: LogIn) -> None:
    @routes.get("/login", include_in_schema=False)
    def page(wanted: Annotated[str, Query(alias="next")] = "/") -> HTMLResponse:
        return HTMLResponse(login_page(_within(wanted)), headers=HEADERS)

    @routes.post("/login", include_in_schema=False)
    def enter(
        request: Request,
        password: Annotated[str, Form(max_length=1000)] = "",
        wanted: Annotated[str, Form(alias="next")] = "/",
    ) -> Response:
        try:
            right = login.accept(password, client(request.scope))
        except IsengardError as error:
            status = HTTPStatus.TOO_MANY_REQUESTS if isinstance(error, TooMany) else HTTPStatus.SERVICE_UNAVAILABLE
            return HTMLResponse(login_page(_within(wanted), f"{error.message} {error.hint}"), status, HEADERS)
        if not right:
            said = "That is not the password. Small and capital letters matter."
            return HTMLResponse(login_page(_within(wanted), said), HTTPStatus.UNAUTHORIZED, HEADERS)
        answer = RedirectResponse(_within(wanted), HTTPStatus.SEE_OTHER)
        secure = request.url.scheme == "https"
        answer.set_cookie(
            SECURE_COOKIE if secure else COOKIE,
            login.owner.open_session(),
            max_age=SESSION_SECONDS,
            secure=secure,
            httponly=True,
            samesite="lax",
        )
        return answer

    @routes.post("/logout", include_in_schema=False)
    def leave() -> RedirectResponse:
        answer = RedirectResponse("/login", HTTPStatus.SEE_OTHER, {"Clear-Site-Data": '"cache", "storage"'})
        answer.delete_cookie(COOKIE, httponly=True)
        answer.delete_cookie(SECURE_COOKIE, secure=True, httponly=True)
        return answer


def client(scope: Scope) -> str:
    """Return the address that a request came from."""
    return str(scope["client"][0]) if scope.get("client") else "unknown"


def _within(wanted: str) -> str:
    """Return a path of this site: anything that a browser could take for another one becomes the first page."""
    plain = wanted.startswith("/") and not wanted.startswith("//") and "\\" not in wanted and wanted.isprintable()
    return wanted if plain else "/"
