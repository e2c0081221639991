"""The ComfyUI server as our child: started on first need, watched, started again after a crash, ended when idle."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from isengard.domain.lease import Stop
from isengard.errors import BackendUnavailable, Cancelled, OutOfMemory
from isengard.plugins.process import Child
from isengard.plugins.protocols import PluginContext
from plugins.comfyui.place import Place
from plugins.comfyui.said import Said

START_SECONDS = 300.0  # measured: 11 s on two quiet cores, 225 s on busy ones
HANG_SECONDS = 45.0  # a server that answers nothing for so long is ended and started again
PORT_TRIES = 3
MOST_CRASHES = 5  # in a row, without one picture between them
FORGIVEN_SECONDS = 60.0  # after so long a server that kept crashing is tried again
LONGEST_PAUSE = 16.0
ENVIRONMENT = {
    "PYTHONPATH": "",
    "PYTHONUNBUFFERED": "1",
    "HF_HUB_OFFLINE": "1",
    "NO_COLOR": "1",
    **dict.fromkeys(("ISENGARD_PASSWORD", "REDIS_URL", "HF_TOKEN"), ""),  # not its business
}


class Server:
    """Thread-safe. ``instance`` grows with each start: what was submitted to an earlier one is lost."""

    def __init__(self, context: PluginContext, place: Place) -> None:
        self._context = context
        self._place = place
        self._starting = threading.Lock()
        self._guard = threading.Lock()
        self._child: Child | None = None
        self._ready = False
        self._healthy_once = False
        self._crashes = 0
        self._crashed_at = 0.0
        self._users = 0
        self._used = time.monotonic()
        self.said = Said(self._log_line)
        self.speaking_for = ""  # correlation id of the prompt that runs now
        self.instance = 0
        self.url = place.url

    def _log_line(self, text: str) -> None:
        self._context.log("comfyui.said", text=text, correlation_id=self.speaking_for)

    @property
    def own(self) -> bool:
        """Tell whether it is our child; another one is only used."""
        return not self._place.url

    @property
    def alive(self) -> bool:
        """Tell whether it can answer, as far as its process tells."""
        child = self._child
        return not self.own or (child is not None and child.alive)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep it from being ended as idle."""
        with self._guard:
            self._users += 1
        try:
            yield
        finally:
            with self._guard:
                self._users -= 1
                self._used = time.monotonic()

    def worked(self, image: dict[str, str]) -> None:
        """Hear that a picture was brought home: earlier crashes are forgiven, and its own copy is deleted."""
        self._crashes = 0
        folder = (self._place.base / image.get("type", "output")).resolve()
        path = (folder / image.get("subfolder", "") / image["filename"]).resolve()
        if self.own and path.is_relative_to(folder):
            path.unlink(missing_ok=True)

    # --- starting ---------------------------------------------------------------------------

    def ensure(self, device: str, stop: Stop) -> str:
        """Return the address of a server that answers; start it if need be.

        Raise BackendUnavailable when it cannot start, Cancelled when asked to end meanwhile.
        """
        while not self._starting.acquire(timeout=0.1):
            _heed(stop)
        try:
            if not self.own:
                return self._reached()
            if not self._still_answers(stop):
                self._start(device, stop)
            return self.url
        finally:
            self._starting.release()

    def _still_answers(self, stop: Stop) -> bool:
        """Tell whether the running server answers; wait for one that is busy, and end one that hangs."""
        deadline = time.monotonic() + HANG_SECONDS
        while self.alive and self._ready:
            if _answers(self.url):
                return True
            if time.monotonic() > deadline:
                self.give_up()
            stop.cancel.wait(0.05)
            _heed(stop)
        return False

    def _reached(self) -> str:
        if not _answers(self.url):
            raise BackendUnavailable(
                f"The ComfyUI at {self.url} does not answer.", "Start it, or correct ISENGARD_COMFYUI_URL."
            )
        return self.url

    def _start(self, device: str, stop: Stop) -> None:
        """Start it, again if it worked before; one that never did is not tried a second time."""
        ports = PORT_TRIES
        self._note_death(self._child)
        while True:
            self._pause(stop)
            if not self.alive:
                self._spawn(device)
            child = self._child
            assert child is not None
            try:
                self._await_ready(child, stop)
            except PortTaken:
                ports -= 1
                if not ports:
                    raise
            except BackendUnavailable:
                if not self._healthy_once:
                    raise
                self._note_crash(child)
            else:
                return

    def _pause(self, stop: Stop) -> None:
        """Wait longer after each crash in a row; after too many, refuse for a while."""
        since = time.monotonic() - self._crashed_at
        if self._crashes >= MOST_CRASHES:
            if since < FORGIVEN_SECONDS:
                raise BackendUnavailable(
                    f"ComfyUI ended unexpectedly {self._crashes} times in a row. It last said: {self.said.tail()}",
                    "The worker log has all it said. Correct that, then retry the job in a minute.",
                )
            self._crashes = 0
        wait = min(LONGEST_PAUSE, 2.0 ** (self._crashes - 1)) if self._crashes > 1 else 0.0
        until = self._crashed_at + wait
        while time.monotonic() < until:
            stop.cancel.wait(0.1)
            _heed(stop)

    def _spawn(self, device: str) -> None:
        """Start the process on a thread that lives as long as it: the system ends it with the thread that made it."""
        port = _free_port()
        command = self._place.command(port, device)
        born = threading.Event()
        failed: list[OSError] = []

        def live() -> None:
            try:
                self._child = Child(command, self._place.checkout, ENVIRONMENT, self.said.hear, "ComfyUI")
            except OSError as error:
                failed.append(error)
                return
            finally:
                born.set()
            self._watch(self._child)

        self._ready = False
        threading.Thread(target=live, name="comfyui-server", daemon=True).start()
        born.wait()
        if failed:
            raise BackendUnavailable(f"ComfyUI cannot be started: {failed[0]}.", "Run: scripts/setup_backends comfyui")
        self.url = f"http://127.0.0.1:{port}"
        assert self._child is not None
        self._context.log("comfyui.started", pid=self._child.pid, port=port)

    def _await_ready(self, child: Child, stop: Stop) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if _answers(self.url, str(self._place.base)):
                self.instance += 1
                self._ready = self._healthy_once = True
                self._used = time.monotonic()
                return
            if not child.alive:
                raise self._stillborn(child)
            stop.cancel.wait(0.1)
            _heed(stop)
        child.kill()
        raise BackendUnavailable(
            f"ComfyUI did not answer within {START_SECONDS:.0f} s. It last said: {self.said.tail()}", "Retry the job."
        )

    def _stillborn(self, child: Child) -> BackendUnavailable:
        death = child.death()  # waits until all it said has been read
        if isinstance(death, OutOfMemory):  # killed from outside: no sign of a broken installation
            return BackendUnavailable("ComfyUI was killed while it started.", death.hint)
        said = self.said.tail()
        if "already in use" in said:
            return PortTaken(said)
        error = BackendUnavailable(
            f"ComfyUI could not start. It last said: {said}",
            "The worker log has all it said. Often a requirement is missing: run scripts/setup_backends comfyui",
        )
        error.retryable = False  # one that never worked will not by itself
        return error

    # --- watching and ending ----------------------------------------------------------------

    def _watch(self, child: Child) -> None:
        while child.alive:
            time.sleep(0.2)
            if self._idle_too_long():
                self.end()
        self._note_death(child)

    def _note_death(self, child: Child | None) -> None:
        """Count a crash once, whoever sees it first; one that was asked to end is not ready any more."""
        with self._guard:
            died = child is not None and child is self._child and self._ready and not child.alive
            self._ready = self._ready and not died
        if child is not None and died:
            self._note_crash(child)

    def _note_crash(self, child: Child) -> None:
        self._crashes += 1
        self._crashed_at = time.monotonic()
        self._context.log("comfyui.crashed", pid=child.pid, in_a_row=self._crashes, said=self.said.tail())

    def give_up(self) -> None:
        """End one that runs but does not answer any more."""
        child = self._child
        if self.own and child is not None and child.alive:
            self._note_crash(child)
            self.end()

    def _idle_too_long(self) -> bool:
        with self._guard:
            idle = time.monotonic() - self._used
            return self._ready and not self._users and idle > self._context.engine_idle_seconds

    @property
    def idle(self) -> bool:
        """Tell whether it runs and nobody uses it."""
        with self._guard:
            return self.own and self.alive and not self._users

    def end(self) -> None:
        """End it, whoever uses it."""
        child, self._child, self._ready = self._child, None, False
        if child is not None and child.alive:
            child.terminate()
            self._context.log("comfyui.ended", pid=child.pid)


class PortTaken(BackendUnavailable):
    """Somebody took the port between our look and the server's."""

    def __init__(self, said: str) -> None:
        super().__init__(f"ComfyUI found no free port: {said}", "Close other programs, then retry the job.")


def _heed(stop: Stop) -> None:
    if stop.cancel.is_set():
        raise Cancelled("Cancelled while ComfyUI was starting.")


def _answers(url: str, base: str = "") -> bool:
    """Tell whether a ComfyUI answers there; with ``base``, whether it is the one that works in that folder."""
    try:
        told = httpx.get(f"{url}/system_stats", timeout=5, trust_env=False)
        return told.status_code == httpx.codes.OK and (not base or base in told.json()["system"]["argv"])
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
