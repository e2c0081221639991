"""A child process that speaks JSON lines: its own group, watched, and ended when we end."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from isengard.errors import BackendCrashed, OutOfMemory

GRACE_SECONDS = 3.0
KEPT_LINES = 20


class Child:
    """``send`` writes a JSON line to its standard input, ``receive`` reads one from its standard output.

    Its standard error goes line by line to ``on_line``.
    """

    def __init__(
        self,
        command: Sequence[str],
        cwd: Path,
        env: Mapping[str, str],
        on_line: Callable[[str], None],
        name: str = "The engine",
    ) -> None:
        self._name = name
        self._messages: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._tail: deque[str] = deque(maxlen=KEPT_LINES)
        self.on_line = on_line
        self._process = subprocess.Popen(  # noqa: S603 - the command is ours
            list(command),
            cwd=cwd,
            env={**os.environ, **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        self._readers = [
            threading.Thread(target=self._read_messages, name="child-messages", daemon=True),
            threading.Thread(target=self._read_lines, name="child-lines", daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int:
        """Process id; also the id of its group."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Tell whether it still runs."""
        return self._process.poll() is None

    def send(self, message: Mapping[str, Any]) -> None:
        """Write one message; raise BackendCrashed when the child is gone."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError) as error:
            raise self.death() from error

    def receive(self, timeout: float) -> dict[str, Any] | None:
        """Return the next message, or None after ``timeout`` seconds; raise when the child died."""
        try:
            message = self._messages.get(timeout=timeout)
        except queue.Empty:
            return None
        if message is None:
            self._messages.put(None)  # it stays dead for whoever asks again
            raise self.death()
        return message

    def death(self) -> BackendCrashed | OutOfMemory:
        """Put the end of the child into words."""
        try:
            code = self._process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            code = None
        for reader in self._readers[1:]:
            reader.join(1)
        if code == -signal.SIGKILL:
            crash = OutOfMemory(
                f"{self._name} was killed by the system, most likely because memory ran out.",
                "Close other programs or choose a smaller batch or resolution, then retry; checkpoints are kept.",
            )
            crash.retryable = True
            return crash
        last = " ".join(list(self._tail)[-3:]) or "it said nothing"
        what = f"{self._name} ended unexpectedly (code {code}): {last}"
        return BackendCrashed(what, "It is started anew on a retry.")

    def terminate(self) -> None:
        """End it and everything it started: TERM first, KILL after three seconds."""
        self._signal(signal.SIGTERM)
        try:
            self._process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it and everything it started, now."""
        self._signal(signal.SIGKILL)
        self._process.wait(GRACE_SECONDS)

    def _signal(self, number: int) -> None:
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return

    def _read_messages(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as said:
            for line in said:
                try:
                    self._messages.put(json.loads(line))
                except json.JSONDecodeError:
                    self._line(line)
        self._messages.put(None)
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):  # what was not sent any more
                self._process.stdin.close()

    def _read_lines(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as said:
            for line in said:
                self._line(line)

    def _line(self, line: str) -> None:
        text = line.rstrip()
        if text:
            self._tail.append(text)
            self.on_line(text)
