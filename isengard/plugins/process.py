"""Child processes for plugins that run their heavy part outside the app."""

from isengard.infra.process import Child

__all__ = ["Child"]
