"""A few lines between a script and Isengard's REST API: errors as they are told, and waiting for a job."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx

FINAL = {"completed", "failed", "cancelled"}


class Refused(Exception):
    """The API said no; the message is the API's own, with its hint."""


class Rest:
    """One Isengard. Answers are the JSON bodies."""

    def __init__(self, url: str) -> None:
        self.client = httpx.Client(base_url=url, timeout=120, trust_env=False)

    def post(self, path: str, **arguments: Any) -> Any:
        """POST; raise Refused for anything but success."""
        return _body(self.client.post(path, **arguments))

    def get(self, path: str, **arguments: Any) -> Any:
        """GET; raise Refused for anything but success."""
        return _body(self.client.get(path, **arguments))

    def fetch(self, path: str) -> bytes:
        """GET a file."""
        answer = self.client.get(path, follow_redirects=True)
        if answer.is_error:
            raise Refused(f"{path}: {answer.status_code}")
        return answer.content

    def until(self, job: dict[str, Any], wanted: Callable[[dict[str, Any]], bool], limit_seconds: float) -> Any:
        """Follow a job until it is as wanted; raise TimeoutError when that takes too long."""
        deadline = time.monotonic() + limit_seconds
        while not wanted(now := self.get(f"/api/jobs/{job['id']}")):
            if time.monotonic() > deadline:
                where = f"{now['status']} at step {now['current_step']}"
                raise TimeoutError(f"{job['id']} is still {where} after {limit_seconds:.0f} s: {now['message']}")
            time.sleep(0.05)
        return now

    def wait(self, job: dict[str, Any], watch: Callable[[dict[str, Any]], None], limit_seconds: float) -> Any:
        """Follow a job to its end; raise Refused when it fails, TimeoutError when it takes too long."""

        def ended(now: dict[str, Any]) -> bool:
            watch(now)
            return now["status"] in FINAL

        job = self.until(job, ended, limit_seconds)
        if job["status"] != "completed":
            error = job.get("error") or {}
            raise Refused(
                f"{job['id']} {job['status']}: {error.get('message', job['message'])} {error.get('hint', '')}"
            )
        return job


def _body(answer: httpx.Response) -> Any:
    if answer.is_error:
        problem = answer.json() if "json" in answer.headers.get("content-type", "") else {}
        said = problem.get("detail", answer.text[:300])
        raise Refused(f"{answer.request.method} {answer.request.url.path}: {said} {problem.get('hint', '')}".strip())
    return answer.json()
