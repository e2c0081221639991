"""REST and SSE: thin routes over the services. ``make_api`` is the one thing to import."""

from isengard.api.application import make_api

__all__ = ["make_api"]
