"""Child processes for plugins that run their heavy part outside the app, and the memory that they take."""

from isengard.infra.process import Child
from isengard.infra.process_memory import PeakMemory

__all__ = ["Child", "PeakMemory"]
