"""structlog and the standard library's logging, both into ``logs/{api,web,worker}/YYYY-MM-DD.log`` as JSON lines."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import threading
from collections.abc import MutableMapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import structlog

from isengard.observability.redaction import redact_value
from isengard.observability.retention import keep_tidy

SERVICES = ("api", "web", "worker")
_OWN = {"timestamp", "level", "service", "correlation_id", "logger", "message"}
_QUIET = ("httpx", "httpcore", "asyncio", "PIL", "uvicorn.access", "multipart", "python_multipart", "gradio")


class LogFiles:
    """Appends lines to the day's file of a service. A disk that does not take them must not stop the work."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, tuple[str, IO[str]]] = {}
        self._guard = threading.Lock()
        self._complained = False

    def write(self, service: str, day: str, line: str) -> None:
        """Append a line; complain once on the console when the disk refuses."""
        with self._guard:
            try:
                self._file(service, day).write(line + "\n")
            except OSError as error:
                self._complain(error)

    def _file(self, service: str, day: str) -> IO[str]:
        known = self._open.get(service)
        if known and known[0] == day:
            return known[1]
        if known:
            known[1].close()
        path = self._folder / service / f"{day}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a", encoding="utf-8", errors="backslashreplace", buffering=1)
        self._open[service] = (day, file)
        return file

    def _complain(self, error: OSError) -> None:
        if not self._complained:
            self._complained = True
            sys.stderr.write(f"Logs cannot be written to {self._folder}: {error}. Going on without log files.\n")


def configure(folder: Path, level: str = "INFO", *, console: bool = True) -> None:
    """Set up all logging of this process; call it once, first thing."""
    files = LogFiles(folder)

    def written(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
        line = shaped(event)
        files.write(line["service"], line["timestamp"][:10], json.dumps(line, ensure_ascii=False, default=str))
        return _for_people(line) if console else ""

    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    # Our own lines do not pass through the standard library's records, which would triple what a line costs.
    structlog.configure(
        processors=[*shared, written],
        logger_factory=lambda *name: _Console(name[0] if name else "", shown=console),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    remove_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler = logging.StreamHandler(sys.stderr if console else _Nowhere())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[remove_meta, written], foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()]
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    keep_tidy(folder)


class _Console:
    """Where structlog's finished lines end: standard error, or nowhere."""

    def __init__(self, name: str, *, shown: bool) -> None:
        self.name = name
        self._shown = shown

    def _write(self, line: str) -> None:
        if self._shown:
            with contextlib.suppress(OSError):  # redirected to a full disk, or to a pipe that nobody reads any more
                sys.stderr.write(line + "\n")

    debug = info = warning = error = critical = _write


class _Nowhere:
    """A stream that swallows the console copy."""

    def write(self, _text: str) -> int:
        return 0

    def flush(self) -> None:
        """Nothing is held back."""


def shaped(event: MutableMapping[str, Any]) -> dict[str, Any]:
    """Return a log event in the plan's fields, without secrets."""
    clean = redact_value(dict(event))
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    service = clean.get("service")
    return {
        "timestamp": now.removesuffix("+00:00") + "Z",
        "level": str(clean.pop("level", "info")).upper(),
        "service": service if service in SERVICES else "worker",
        "correlation_id": clean.get("correlation_id", ""),
        "logger": clean.get("logger", ""),
        "message": clean.pop("event", ""),
        "context": {name: value for name, value in clean.items() if name not in _OWN},
    }


def _for_people(line: dict[str, Any]) -> str:
    details = " ".join(f"{name}={value}" for name, value in line["context"].items() if name != "exception")
    text = f"{line['timestamp'][11:19]} {line['level']:<7} {line['message']} {details}".rstrip()
    exception = line["context"].get("exception")
    return f"{text}\n{exception}" if exception else text
