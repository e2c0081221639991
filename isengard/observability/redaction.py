"""Takes secrets out of everything that is logged, however deeply nested."""

from __future__ import annotations

import functools
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
# What every secret of the rules above has in it: most of what is logged has none of it, and is passed on at once.
_SUSPECT = re.compile(r"(?i)hf_|sk-|ghp_|rpa_|token|passw|secret|api[_-]?key|authorization|://|/users/|/home/")
_SECRET_NAMES = re.compile(r"(?i)\A(.*[_-])?(token|password|passwd|secret|api[_-]?key|authorization|cookie)\Z")


def redact(text: str) -> str:
    """Return text without secrets."""
    if not _SUSPECT.search(text):
        return text
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text


@functools.lru_cache(1024)
def _name(name: str) -> tuple[str, bool]:
    """Return a key without secrets, and whether it says that its value is one."""
    return redact(name), bool(_SECRET_NAMES.match(name))


def redact_value(value: Any) -> Any:
    """Return a copy of a nested value without secrets."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        named = ((_name(str(key)), inner) for key, inner in value.items())
        return {name: "***" if secret else redact_value(inner) for (name, secret), inner in named}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact_value(item) for item in value]
    if value is None or isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return value  # what is not finite becomes text: JSON has no word for it
    return redact(str(value))
