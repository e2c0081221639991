"""Server-sent events: of one job, resumable to its end; or of all jobs, live."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

from fastapi.responses import StreamingResponse

from isengard.domain.job import FINAL
from isengard.domain.progress import ProgressEntry
from isengard.services.jobs import Jobs

PING_SECONDS = 15.0  # proxies cut connections that are silent for longer; the usual limits are 30 to 100 s
_ID = re.compile(r"\d+-\d+\Z")
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


async def of_job(jobs: Jobs, job_id: str, last_event_id: str | None) -> StreamingResponse:
    """Stream what was stored after ``last_event_id``, then what happens, to the job's last event."""
    after = last_event_id if last_event_id and _ID.match(last_event_id) else "0"
    await asyncio.to_thread(jobs.get, job_id)
    return _stream(_job_events(jobs, job_id, after))


def of_all(jobs: Jobs) -> StreamingResponse:
    """Stream the events of all jobs from now on."""
    return _stream(_all_events(jobs))


def _stream(lines: AsyncIterator[str]) -> StreamingResponse:
    return StreamingResponse(lines, media_type="text/event-stream", headers=_HEADERS)


class _Mailbox:
    """Carries events from the hub's thread into the event loop."""

    def __init__(self, jobs: Jobs, job_id: str | None) -> None:
        self._loop = asyncio.get_running_loop()
        self._box: asyncio.Queue[ProgressEntry] = asyncio.Queue()
        self._job_id = job_id
        self._end = jobs.hub.listen(self._put)

    def _put(self, entry: ProgressEntry) -> None:
        if self._job_id in {None, entry.job_id} and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._box.put_nowait, entry)

    async def next(self) -> ProgressEntry | None:
        """Return the next event, or None when it is time for a sign of life."""
        try:
            return await asyncio.wait_for(self._box.get(), PING_SECONDS)
        except TimeoutError:
            return None

    def close(self) -> None:
        """Stop listening."""
        self._end()


async def _job_events(jobs: Jobs, job_id: str, after: str) -> AsyncIterator[str]:
    mailbox = _Mailbox(jobs, job_id)  # before the stored ones are read, so that none falls between
    try:
        last = _order(after)
        for entry in await asyncio.to_thread(jobs.events, job_id, after):
            last = _order(entry.stream_id)
            yield _message(entry)
            if entry.status in FINAL and not await _goes_on(jobs, job_id):
                return
        if not await _goes_on(jobs, job_id):
            return
        async for happened in _live(mailbox):
            if happened is None:
                yield ": ping\n\n"
            elif _order(happened.stream_id) > last:
                yield _message(happened)
                if happened.status in FINAL:
                    return
    finally:
        mailbox.close()


async def _goes_on(jobs: Jobs, job_id: str) -> bool:
    """Tell whether more is to come: a job that had ended may have been retried."""
    return not (await asyncio.to_thread(jobs.get, job_id)).final


async def _all_events(jobs: Jobs) -> AsyncIterator[str]:
    mailbox = _Mailbox(jobs, None)
    try:
        yield "retry: 1000\n\n"
        async for entry in _live(mailbox):
            yield _message(entry) if entry else ": ping\n\n"
    finally:
        mailbox.close()


async def _live(mailbox: _Mailbox) -> AsyncIterator[ProgressEntry | None]:
    while True:
        yield await mailbox.next()


def _order(stream_id: str) -> tuple[int, int]:
    milliseconds, _, number = stream_id.partition("-")
    return int(milliseconds), int(number or 0)


def _message(entry: ProgressEntry) -> str:
    return f"id: {entry.stream_id}\nevent: progress\ndata: {entry.model_dump_json()}\n\n"
