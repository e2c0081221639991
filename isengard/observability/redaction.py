"""Takes secrets out of everything that is logged, however deeply nested."""

from __future__ import annotations

import math
import re
from typing import Any

REDACTED = "***REDACTED***"
_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(hf_)[A-Za-z0-9]+"), rf"\1{REDACTED}"),
    (re.compile(r"(?<![A-Za-z0-9])(sk-)[A-Za-z0-9][A-Za-z0-9_-]*"), rf"\1{REDACTED}"),  # not task-, disk-, mask-
    (re.compile(r"(ghp_)[A-Za-z0-9]+"), rf"\1{REDACTED}"),
    (re.compile(r"(rpa_)[A-Za-z0-9]+"), rf"\1{REDACTED}"),
    (
        re.compile(r"(?i)((?:token|password|passwd|secret|api[_-]?key)(?:=|%3D|[\"']?\s*:\s*[\"']?))[^\s&\"',;}]+"),
        r"\1***",
    ),
    (re.compile(r"(?i)\b(authorization[\"']?\s*[:=]\s*[\"']?)(bearer|basic)\s+[^\s\"',;]+"), r"\1\2 ***"),
    (re.compile(r"(\w+://[^\s:/@]*:)[^\s/]+@"), r"\1***@"),
    (re.compile(r"/(?:Users|home)/[^/\s\"']+/"), "/[HOME]/"),
)
_SECRET_NAMES = re.compile(r"(?i)\A(.*[_-])?(token|password|passwd|secret|api[_-]?key|authorization|cookie)\Z")


def redact(text: str) -> str:
    """Return text without secrets."""
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text


def redact_value(value: Any) -> Any:
    """Return a copy of a nested value without secrets."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {redact(str(k)): "***" if _SECRET_NAMES.match(str(k)) else redact_value(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact_value(item) for item in value]
    if value is None or isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return value  # what is not finite becomes text: JSON has no word for it
    return redact(str(value))
