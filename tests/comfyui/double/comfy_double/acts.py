"""Misbehaviour that can happen at any event: dying, freezing, waiting, saying something in the log."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

from comfy_double.log import Log
from comfy_double.plan import Plan, Rule


class Acts:
    """Asks the plan what to do at an event, does what any event can do, and returns the rest to the caller."""

    def __init__(self, plan: Plan, log: Log) -> None:
        self.plan = plan
        self._log = log

    async def at(self, event: str, **facts: Any) -> dict[str, Rule]:
        """Return the special rules that hit, by their action."""
        special = {}
        for rule in self.plan.take(event, **facts):
            match rule["do"]:
                case "die":
                    self.plan.die(event)
                case "freeze":
                    os.kill(os.getpid(), signal.SIGSTOP)
                case "sleep":
                    await asyncio.sleep(rule["seconds"])
                case "hang":
                    await asyncio.Event().wait()
                case "log":
                    for line in rule["lines"]:
                        self._log.write(rule.get("level", "WARNING"), line)
                case action:
                    special[action] = rule
        return special
