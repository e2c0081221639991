"""The plan of misbehaviour: a JSON file that tests may change while the double runs.

``{"version": "0.33.0", "step_seconds": 0.01, "rules": [RULE, ...]}``. A rule is
``{"at": EVENT, "do": ACTION, "when": {fact: value}, "skip": 0, "times": 1, ...options}``: the first ``skip`` events
that match are let through, the next ``times`` are hit (0: all of them). Counts are kept in a file beside the plan, so
that they outlive a process that kills itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

Rule = dict[str, Any]

DEFAULT_VERSION = "0.33.0"
# The release AFTER which each was seen to appear in upstream's history.
PROGRESS_STATE, CLIENT_PROMPT_IDS, INTERRUPT_BY_ID = (0, 3, 44), (0, 3, 44), (0, 3, 56)
JOBS, COLOURED_LOG, UUID_PROMPT_IDS, CANCEL_ROUTES = (0, 5, 1), (0, 5, 1), (0, 24, 0), (0, 25, 0)


class Plan:
    """Reads the plan again whenever the file has changed."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._content: dict[str, Any] = {}
        self._used: dict[str, int] = {}

    @classmethod
    def from_environment(cls) -> Plan:
        named = os.environ.get("COMFYUI_DOUBLE_PLAN")
        return cls(Path(named) if named else None)

    def setting(self, name: str, default: Any) -> Any:
        return self._read().get(name, default)

    @property
    def version(self) -> str:
        return str(self.setting("version", DEFAULT_VERSION))

    def newer_than(self, release: tuple[int, ...]) -> bool:
        return tuple(int(part) for part in self.version.split(".")) > release

    def take(self, at: str, **facts: Any) -> list[Rule]:
        """Return the rules that hit this event and count the event for every rule that matches it."""
        hit = []
        for rule in self._read().get("rules", []):
            if rule["at"] != at or not _matches(rule.get("when", {}), facts):
                continue
            key = rule.get("name") or json.dumps(rule, sort_keys=True)
            count = self._used.get(key, 0)
            skip, times = rule.get("skip", 0), rule.get("times", 1)
            if count < skip + times or (times == 0 and count < skip):
                self._used[key] = count + 1
                self._keep()
            if skip <= count and (times == 0 or count < skip + times):
                hit.append(rule)
        if hit:
            self.note("misbehaved", at=at, do=[rule["do"] for rule in hit])
        return hit

    def note(self, event: str, **facts: Any) -> None:
        """Append a line to the journal beside the plan: what was asked for and what was done."""
        if self._path is not None:
            with self._path.with_suffix(".journal").open("a") as journal:
                journal.write(json.dumps({"event": event, "at_s": time.time(), "pid": os.getpid(), **facts}) + "\n")

    def die(self, stage: str) -> None:
        self.note("died", stage=stage)
        os.kill(os.getpid(), signal.SIGKILL)

    def _read(self) -> dict[str, Any]:
        if self._path is None:
            return {}
        with contextlib.suppress(FileNotFoundError):
            status = self._path.stat()
            if (stamp := (status.st_mtime_ns, status.st_size)) != self._stamp:
                self._content = json.loads(self._path.read_text())
                self._used = _counts(self._counts_path)
                self._stamp = stamp
        return self._content

    @property
    def _counts_path(self) -> Path:
        assert self._path is not None
        return self._path.with_suffix(".counts")

    def _keep(self) -> None:
        fresh = self._counts_path.with_suffix(".new")
        fresh.write_text(json.dumps(self._used))
        fresh.replace(self._counts_path)


def _matches(when: dict[str, Any], facts: dict[str, Any]) -> bool:
    for name, wanted in when.items():
        given = facts.get(name)
        if given != wanted and not (name == "text" and str(wanted) in str(given)):
            return False
    return True


def _counts(path: Path) -> dict[str, int]:
    with contextlib.suppress(FileNotFoundError):
        return dict(json.loads(path.read_text()))
    return {}
