"""Reads operations from standard input, writes reports to standard output as JSON lines."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import queue
import signal
import sys
import threading
from typing import Any

from plugins.diffusers.engine.failures import failure_of
from plugins.diffusers.engine.wishes import CancelledRun, Wishes

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    """Serve until standard input ends."""
    _die_with_parent()
    report = _claim_stdout()
    wishes = Wishes()
    operations: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_read, args=(operations, wishes), daemon=True).start()
    serve = _operations()
    while True:
        message = operations.get()
        try:
            serve[message["operation"]](message, report, wishes)
            report({"done": True})
        except CancelledRun:
            report({"done": True})
        except Exception as error:  # noqa: BLE001 - every failure is told to the app, which decides
            report({"failure": failure_of(error)})


def _operations() -> dict[str, Any]:
    def train(message: dict[str, Any], report: Any, wishes: Wishes) -> None:
        from plugins.diffusers.engine.generate import WARM
        from plugins.diffusers.engine.train import train as run

        WARM.forget()  # the lease of a training counts no second pipeline
        run(message, report, wishes)

    def generate(message: dict[str, Any], report: Any, wishes: Wishes) -> None:
        from plugins.diffusers.engine.generate import generate as run

        run(message, report, wishes)

    return {"train": train, "generate": generate}


def _read(operations: queue.Queue[dict[str, Any]], wishes: Wishes) -> None:
    told = {"cancel": wishes.cancel, "keep": wishes.keep, "save": wishes.save, "sample": wishes.sample}
    for line in sys.stdin:
        message = json.loads(line)
        if wish := told.get(message["operation"]):
            wish.set()
        else:
            wishes.clear()  # here, so that none that follows is lost
            operations.put(message)
    os._exit(0)  # the app is gone


def _claim_stdout() -> Any:
    """Keep standard output for reports; what libraries print goes to standard error."""
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    guard = threading.Lock()

    def report(message: dict[str, Any]) -> None:
        with guard:
            pipe.write(json.dumps(message) + "\n")

    return report


def _die_with_parent() -> None:
    with contextlib.suppress(OSError, AttributeError):  # Linux only; elsewhere the end of stdin serves
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main()
