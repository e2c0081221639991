"""The app's side of the engine: starts children on first need, talks to them, ends them when idle."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from isengard.domain.lease import Needs, Stop
from isengard.errors import (
    BackendCrashed,
    BackendOutput,
    BackendUnavailable,
    Cancelled,
    DiskFull,
    InvalidInput,
    IsengardError,
    OutOfMemory,
    OutOfVram,
)
from isengard.plugins.process import Child, PeakMemory
from isengard.plugins.protocols import BackendStatus, PluginContext

NAME = "diffusers"
POLL_SECONDS = 0.1
CANCEL_GRACE_SECONDS = 1.0
LIBRARIES = ("torch", "diffusers", "transformers", "peft", "safetensors")
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONUNBUFFERED": "1",
    # How long idle threads spin before they sleep. Measured on two cores, seconds a training step, alone and with a
    # second engine beside it: 0: 0.41 and 0.40; 2000: 0.24 and 0.77; libgomp's default: 0.22 and 1.03.
    "GOMP_SPINCOUNT": "2000",
}
_FAILURES: dict[str, type[IsengardError]] = {
    kind.__name__: kind for kind in (BackendOutput, BackendUnavailable, DiskFull, InvalidInput, OutOfMemory, OutOfVram)
}


class Engines:
    """The children of this plugin: one for each run at a time, so that a picture need not wait for a training to end.

    A warm one that is free is taken first, whatever it did before: the first pictures after a training come at once.
    Thread-safe.
    """

    def __init__(self, context: PluginContext, at_once: int = 2) -> None:
        self._engines = [Engine(f"{number + 1}", context) for number in range(at_once)]

    def run(
        self, operation: str, arguments: dict[str, Any], stop: Stop, correlation_id: str, needs: Needs | None = None
    ) -> Iterator[dict[str, Any]]:
        """Send an operation, yield what the child reports; raise what it raised, Cancelled, or its death."""
        engine = self._take(stop)
        engine.kept = needs or Needs()
        try:
            yield from engine.run(operation, arguments, stop, correlation_id)
        finally:
            engine.give_back()

    def _take(self, stop: Stop) -> Engine:
        while True:
            for engine in sorted(self._engines, key=lambda engine: not engine.warm):
                if engine.take():
                    return engine
            if stop.cancel.wait(POLL_SECONDS):
                raise Cancelled("Cancelled while it waited for the engine.")

    def resident(self) -> Needs:
        """Return what the warm ones that idle took in their last run."""
        kept = [engine.kept for engine in self._engines if engine.warm and engine.idle]
        return Needs(sum(one.vram_gb for one in kept), sum(one.ram_gb for one in kept), backend=NAME)

    def release(self) -> None:
        """End every child that is not at work."""
        for engine in self._engines:
            engine.release()


class Engine:
    """One child, started on first need. Whoever takes it gives it back."""

    def __init__(self, name: str, context: PluginContext) -> None:
        self.name = name
        self.kept = Needs()
        self._context = context
        self._child: Child | None = None
        self._turn = threading.Lock()
        self._used = 0.0

    @property
    def warm(self) -> bool:
        """Tell whether its child lives, with its libraries loaded."""
        child = self._child
        return child is not None and child.alive

    @property
    def idle(self) -> bool:
        """Tell whether nobody has it."""
        return not self._turn.locked()

    def take(self) -> bool:
        """Take it for a run, if nobody has it."""
        return self._turn.acquire(blocking=False)

    def give_back(self) -> None:
        """End a run."""
        self._used = time.monotonic()
        self._turn.release()

    def run(
        self, operation: str, arguments: dict[str, Any], stop: Stop, correlation_id: str
    ) -> Iterator[dict[str, Any]]:
        """Serve whoever has taken it."""
        child = self._start(correlation_id)
        child.send({"operation": operation, **arguments})
        yield from self._reports(child, stop)

    def _reports(self, child: Child, stop: Stop) -> Iterator[dict[str, Any]]:
        finished = False
        memory = PeakMemory(child.pid)
        wishes = {"keep": stop.keep, "save": stop.save, "sample": stop.sample}
        try:
            while True:
                if stop.cancel.is_set():
                    raise Cancelled("Cancelled.")
                _pass_on(wishes, child)
                message = child.receive(POLL_SECONDS)
                memory.look()
                if message is None:
                    continue
                if "failure" in message:
                    finished = True
                    raise _failure(message["failure"])
                if message.get("done"):
                    finished = True
                    return
                yield _with_peaks(message, memory) if message.get("kind") == "weights" else message
        finally:
            if not finished:
                self._quieten(child)

    def _quieten(self, child: Child) -> None:
        """Make a child whose run was given up fit for the next one, or end it."""
        try:
            child.send({"operation": "cancel"})
            deadline = time.monotonic() + CANCEL_GRACE_SECONDS
            while time.monotonic() < deadline:
                message = child.receive(POLL_SECONDS)
                if message and ("failure" in message or message.get("done")):
                    return
        except IsengardError as error:
            self._context.log("engine.lost", engine=self.name, error=str(error))
        child.kill()
        self._child = None

    def _start(self, correlation_id: str) -> Child:
        log = self._context.log

        def on_line(text: str) -> None:
            log("engine.said", engine=self.name, text=text, correlation_id=correlation_id)

        if self._child is not None and self._child.alive:
            self._child.on_line = on_line
            return self._child
        command = [sys.executable, "-m", "plugins.diffusers.engine"]
        self._child = Child(command, self._context.project_root, ENVIRONMENT, on_line)
        log("engine.started", engine=self.name, pid=self._child.pid)
        threading.Thread(target=self._end_when_idle, args=(self._child,), daemon=True).start()
        return self._child

    def _end_when_idle(self, child: Child) -> None:
        while child.alive:
            time.sleep(1.0)
            idle = time.monotonic() - self._used
            if self._used and idle > self._context.engine_idle_seconds and self.release():
                return

    def release(self) -> bool:
        """End the child unless it is at work; its memory goes back to the system."""
        if not self.take():
            return False
        try:
            if self._child is not None:
                self._child.terminate()
                self._context.log("engine.ended", engine=self.name)
                self._child = None
        finally:
            self._turn.release()
        return True


def _pass_on(wishes: dict[str, threading.Event], child: Child) -> None:
    """Tell the child what is wished for; each wish once, and the end for good."""
    for name, wish in list(wishes.items()):
        if not wish.is_set():
            continue
        child.send({"operation": name})
        if name == "keep":
            del wishes[name]
        else:
            wish.clear()


def status(name: str, kind: str) -> BackendStatus:
    """Tell whether the engine's libraries are installed; imports none of them."""
    missing = [library for library in LIBRARIES if importlib.util.find_spec(library) is None]
    reason = f"Not installed: {', '.join(missing)}." if missing else ""
    hint = "Run scripts/run again; it installs them." if missing else ""
    return BackendStatus(name, kind, available=not missing, reason=reason, hint=hint)


def library_versions() -> dict[str, str]:
    """Versions of what decides the result."""
    return {name: importlib.metadata.version(name) for name in ("torch", "diffusers", "peft")}


def _with_peaks(message: dict[str, Any], memory: PeakMemory) -> dict[str, Any]:
    memory.last_look()
    return {**message, "peak_vram_gb": memory.vram_gb, "peak_ram_gb": memory.ram_gb}


def _failure(told: dict[str, str]) -> IsengardError:
    kind = _FAILURES.get(told["type"], BackendCrashed)
    return kind(told["message"], told["hint"])
