"""REST and SSE: thin routes over the services. ``make_api`` is the one thing to import."""

from isengard.api.application import Guards, make_api

__all__ = ["Guards", "make_api"]
