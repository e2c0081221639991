"""No-op jobs a second: Isengard's queue and workers, rq, arq and streaq, on one embedded server, in turn.

Every contender has the same number of workers, is given its jobs one by one, and each job is acknowledged and its
end recorded. Isengard's are also fenced, recorded as two events of a stream, published to browsers and logged.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path

from figures import Figure
from scope import Scope

from isengard.infra.redis_server import EmbeddedServer

CONTENDERS = Path(__file__).with_name("contenders")
WORKERS = 2  # the app's own default
RIVALS = ("rq", "arq", "streaq")
OWN_DEFAULTS = {"arq": 10, "streaq": 16}  # jobs at once on their event loops, when not told otherwise
HOW = {
    "isengard": "threads of one process",
    "rq": "SimpleWorker processes",
    "arq": "at once on one event loop",
    "streaq": "at once on one event loop",
}
Rates = dict[str, list[float]]


def measure(scope: Scope) -> list[Figure]:
    """Return a ratio for each rival, and the rates behind them."""
    jobs, rounds = scope.pick(3000, 800), scope.pick(5, 2)
    server = EmbeddedServer(scope.folder)
    server.start()
    try:
        drain, submit = _raced(server.url, jobs, rounds)
        at_defaults = {name: _rates(name, server.url, jobs, width)[1] for name, width in OWN_DEFAULTS.items()}
    finally:
        server.stop()
    return [*_ratios(drain, jobs, rounds), *_rows(drain, submit), *_at_defaults(at_defaults)]


def _raced(url: str, jobs: int, rounds: int) -> tuple[Rates, Rates]:
    """Let all run in turn, round after round, so that a slow minute of the machine meets each of them."""
    names = ("isengard", *RIVALS)
    drain: Rates = {name: [] for name in names}
    submit: Rates = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            submitted, drained = _rates(name, url, jobs, WORKERS)
            submit[name].append(submitted)
            drain[name].append(drained)
    return drain, submit


def _rates(name: str, url: str, jobs: int, workers: int) -> tuple[float, float]:
    """Run one contender in a process of its own; return its submissions and jobs a second."""
    command = [sys.executable, str(CONTENDERS / f"run_{name}.py"), url, str(jobs), str(workers)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        raise RuntimeError(f"{name} failed: {done.stderr.strip()[-800:]}")
    times = json.loads(done.stdout.splitlines()[-1])
    return jobs / times["submit"], jobs / times["drain"]


def _ratios(drain: Rates, jobs: int, rounds: int) -> list[Figure]:
    how = f"{jobs} jobs, {WORKERS} workers each, median of {rounds} rounds in turn"
    own = statistics.median(drain["isengard"])
    return [
        Figure(
            "queue",
            f"Isengard over {name}",
            own / statistics.median(drain[name]),
            "x",
            1.0,
            more_is_better=True,
            detail=how,
        )
        for name in RIVALS
    ]


def _rows(drain: Rates, submit: Rates) -> list[Figure]:
    return [
        Figure(
            "queue",
            f"{name}: jobs a second",
            statistics.median(rates),
            "/s",
            detail=f"{WORKERS} {HOW[name]}; submits {statistics.median(submit[name]):,.0f}/s",
            samples=rates,
        )
        for name, rates in drain.items()
    ]


def _at_defaults(rates: dict[str, float]) -> list[Figure]:
    return [
        Figure("queue", f"{name}: jobs a second", rate, "/s", detail=f"{OWN_DEFAULTS[name]} {HOW[name]}, its default")
        for name, rate in rates.items()
    ]
