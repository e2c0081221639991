"""What the app asked for while a run goes on."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field


class CancelledRun(Exception):
    """The run ends because the app asked for it."""


@dataclass
class Wishes:
    """Flags set by the reader thread and looked at between steps."""

    cancel: threading.Event = field(default_factory=threading.Event)
    keep: threading.Event = field(default_factory=threading.Event)
    save: threading.Event = field(default_factory=threading.Event)
    sample: threading.Event = field(default_factory=threading.Event)

    def clear(self) -> None:
        """Forget the wishes of the run before."""
        for wish in (self.cancel, self.keep, self.save, self.sample):
            wish.clear()

    def heed(self) -> None:
        """Raise CancelledRun when the run was cancelled."""
        if self.cancel.is_set():
            raise CancelledRun
