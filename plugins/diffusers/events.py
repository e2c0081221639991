"""What the child reports, as events."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from isengard.domain.event import PluginEvent

_ADAPTER: TypeAdapter[PluginEvent] = TypeAdapter(PluginEvent)


def event_of(message: dict[str, Any]) -> PluginEvent:
    """Parse one report."""
    return _ADAPTER.validate_python(message)
