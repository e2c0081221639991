"""AI-Toolkit as a child process: in a group of its own, with no terminal to ask on, and ended with us."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path

from isengard.plugins.process import PeakMemory
from plugins.aitoolkit.channels import JOB_ID
from plugins.aitoolkit.place import Place
from plugins.aitoolkit.recipe import Folders
from plugins.aitoolkit.said import Said

TERM_SECONDS = 1.0  # a run that is cancelled must be gone within two
KILL_SECONDS = 3.0
PIECE_BYTES = 65536
LONGEST_PIECE = 20_000
LAUNCH = (  # ends with us, whatever becomes of us (linux/prctl.h, PR_SET_PDEATHSIG); hears an interrupt
    "import ctypes, os, signal, sys\n"
    "getattr(ctypes.CDLL(None), 'prctl', print)(1, 9)\n"
    "signal.signal(signal.SIGINT, signal.SIG_DFL)\n"
    "os.execv(sys.executable, [sys.executable, '-u', *sys.argv[1:]])"
)
ENVIRONMENT = {
    "AITK_JOB_ID": JOB_ID,
    "PYTHONUNBUFFERED": "1",
    "PYTHONPATH": "",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "COLUMNS": "200",
    **dict.fromkeys(("ISENGARD_PASSWORD", "REDIS_URL"), ""),  # not its business
}


class Trainer:
    """One run of it. What it prints goes to ``said``, in the order in which it was printed."""

    def __init__(self, place: Place, folders: Folders, said: Said) -> None:
        self._said = said
        script = place.checkout / "run.py"
        self._process = subprocess.Popen(  # noqa: S603 - the command is ours
            [str(place.python), "-c", LAUNCH, str(script), str(folders.config)],
            cwd=folders.root,
            env={**os.environ, **ENVIRONMENT},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.memory = PeakMemory(self._process.pid)
        self._reader = threading.Thread(target=self._read, name="aitoolkit-output", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Process id; also the id of its group."""
        return self._process.pid

    @property
    def code(self) -> int | None:
        """Exit code, negative for a signal; None while it runs."""
        return self._process.poll()

    def wait(self, seconds: float) -> bool:
        """Wait for its end; tell whether it came."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def heard_out(self) -> None:
        """Wait until all it said has been heard."""
        self._reader.join(KILL_SECONDS)

    def interrupt(self) -> None:
        """Ask it to end without a trace; it takes seconds and exits with 0."""
        self._signal(signal.SIGINT)

    def end(self) -> None:
        """End it and everything it started: TERM, a second later KILL."""
        self._signal(signal.SIGTERM)
        self.wait(TERM_SECONDS)
        self._signal(signal.SIGKILL)
        self.wait(KILL_SECONDS)

    def _signal(self, number: int) -> None:
        try:
            os.killpg(self._process.pid, number)
        except (ProcessLookupError, PermissionError):
            return

    def _read(self) -> None:
        assert self._process.stdout is not None
        rest = b""
        with self._process.stdout as pipe:
            while chunk := os.read(pipe.fileno(), PIECE_BYTES):
                *whole, rest = (rest + chunk).replace(b"\r", b"\n").split(b"\n")
                for piece in whole:
                    self._said.hear(piece[:LONGEST_PIECE].decode("utf-8", "replace"))
                rest = rest[-LONGEST_PIECE:]
        self._said.hear(rest.decode("utf-8", "replace"))


def aliases(place_folder: Path, wanted: Mapping[str, str], root: Path) -> None:
    """Lay links where it looks for models by their name on the hub: it takes a folder of that name before the hub."""
    for name, below in wanted.items():
        link = root / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to((place_folder / below).resolve(), target_is_directory=True)
