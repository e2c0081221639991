"""Plants secrets in log lines of every shape and looks for them in the log files: python scripts/planted_secrets.py.

Kinds are those of the plan's redaction table and the ones that Isengard makes itself; shapes are texts, nested values,
percent-encoding, tracebacks, what other libraries log and what child processes print. Exit status 1 when one is found.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import structlog

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from isengard.infra.process import Child  # noqa: E402
from isengard.observability import configure, job_context, request_context  # noqa: E402

MARK = "zQ9x"  # in every planted secret and in nothing else
KINDS: dict[str, str] = {
    "hf": "hf_{0}",
    "sk": "sk-{0}",
    "sk-proj": "sk-proj-{0}",
    "ghp": "ghp_{0}",
    "rpa": "rpa_{0}",
    "/Users": "/Users/{0}/photos/a.jpg",
    "/home": "/home/{0}/photos/a.jpg",
    "token=": "token={0}",
    "password=": "password={0}",
    "access_token=": "https://h/x?size=2&access_token={0}&y=1",
    "HF_TOKEN": "HF_TOKEN={0}",
    "ISENGARD_PASSWORD": "ISENGARD_PASSWORD={0}",
    "json password": '{{"password": "{0} and more {0}"}}',
    "repr password": "{{'password': '{0}'}}",
    "escaped json": '"{{\\"api_key\\": \\"{0}\\"}}"',
    "bearer": "Authorization: Bearer {0}",
    "basic": "authorization='Basic {0}'",
    "cookie": "Cookie: a=b; isengard={0}.x.y; __Host-isengard={0}.x",
    "set-cookie": "Set-Cookie: isengard={0}; HttpOnly",
    "redis": "redis://:{0}@host:6379/0",
    "rediss": "rediss://user:{0}@host/0",
    "secret key": "client_secret={0}",
}
CHILD = "import sys\nfor line in sys.stdin:\n print(line.strip()); print(line.strip(), file=sys.stderr)"
log = structlog.get_logger("planted")


def secrets_of(seed: int) -> Iterator[tuple[str, str]]:
    """Yield kind and text for ever."""
    draw = random.Random(seed)
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    while True:
        for kind, form in KINDS.items():
            body = "".join(draw.choices(letters, k=12))
            yield kind, form.format(body[:6] + MARK + body[6:])


def plain(text: str) -> None:
    """In the message itself."""
    said = f"something.happened {text} and so on"
    log.info(said)


def nested(text: str) -> None:
    """Deep inside values and keys."""
    log.info("nested", a=[{"b": ({"c": text}, {text}, text.encode(), Path(text))}], **{f"k {text}": 1})


def encoded(text: str) -> None:
    """As part of an address, once and twice."""
    log.info("encoded", url=f"https://h/?next={quote(text, safe='')}", again=quote(quote(text, safe=""), safe=""))


def as_json(text: str) -> None:
    """As JSON inside a text, and that once more."""
    log.warning("json", body=json.dumps({"x": [text]}), twice=json.dumps(json.dumps({"x": text})))


def broken_lines(text: str) -> None:
    """After a line break, as it is and escaped."""
    log.info("lines", body=f"first\n{text}\tlast", escaped=json.dumps(f"first\n{text}\r\n"), shown=repr(f"a\n{text}"))


def traced(text: str) -> None:
    """In a chain of exceptions."""
    try:
        try:
            raise ValueError(text)
        except ValueError as error:
            raise RuntimeError(f"while: {text}") from error
    except RuntimeError:
        log.exception("broke", error=text)


def foreign(text: str) -> None:
    """As other libraries log."""
    logging.getLogger("some.library").warning("%s %r", text, {"x": text}, extra={"more": text})


def by_field(text: str) -> None:
    """Under names that say what it is, in whatever form."""
    log.info("field", password=text, headers={"Authorization": text, "X-Api-Key": text}, hf_token=[text, {"a": text}])


SHAPES: tuple[Callable[[str], None], ...] = (plain, nested, encoded, as_json, broken_lines, traced, foreign, by_field)


class Spoken:
    """A child process that prints what it is told, on both of its streams, and our log of it."""

    def __init__(self) -> None:
        self.heard = 0
        self._child = Child([sys.executable, "-u", "-c", CHILD], ROOT, {}, self._hear)

    def _hear(self, line: str) -> None:
        log.info("child.said", line=line)
        self.heard += 1

    def __call__(self, text: str) -> None:
        """Have it printed."""
        self._child.send({"say": text})

    def finish(self, lines: int) -> None:
        """Wait until all of it was heard; what it prints as JSON on its standard output are messages, logged here."""
        for _ in range(lines):
            message: dict[str, Any] | None = self._child.receive(30)
            log.info("child.message", message=message)
        until = time.monotonic() + 30
        while self.heard < lines and time.monotonic() < until:
            time.sleep(0.01)
        self._child.kill()


def plant(count: int, seed: int) -> Counter[str]:
    """Write ``count`` lines; return how many there were of each kind."""
    drawn, planted, spoken, said = secrets_of(seed), Counter[str](), Spoken(), 0
    for number in range(count):
        kind, text = next(drawn)
        planted[kind] += 1
        turn = (number // len(KINDS)) % (len(SHAPES) + 1)
        with request_context("api") if number % 2 else job_context("req-1", "train-1"):
            if turn < len(SHAPES):
                SHAPES[turn](text)
            else:
                spoken(text)
                said += 1
    spoken.finish(said)
    return planted


def leaks(folder: Path) -> list[str]:
    """Return the log lines in which a planted secret can be read."""
    return [line for path in folder.rglob("*.log") for line in path.read_text("utf-8").splitlines() if MARK in line]


def main() -> int:
    """Plant, look, tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as kept:
        configure(Path(kept), "DEBUG", console=False)
        started = time.perf_counter()
        planted = plant(options.lines, options.seed)
        found = leaks(Path(kept))
        written = sum(len(path.read_text("utf-8").splitlines()) for path in Path(kept).rglob("*.log"))
    for line in found[:20]:
        print(f"LEAKED: {line[:400]}")
    print(
        f"planted secrets: {planted.total()} in {len(KINDS)} kinds and {len(SHAPES) + 1} shapes, {written} log lines, "
        f"{len(found)} leaked, {time.perf_counter() - started:.1f} s, {threading.active_count()} threads at the end"
    )
    return 1 if found or written < options.lines else 0


if __name__ == "__main__":
    sys.exit(main())
