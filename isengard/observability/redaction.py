"""Takes secrets out of everything that is logged, however deeply nested."""

from __future__ import annotations

import functools
import math
import re
from typing import Any
from urllib.parse import unquote

REDACTED = "***REDACTED***"
_NAMES = r"token|password|passwd|pwd|secret|api[_-]?key|private[_-]?key|credentials?"
# Quotes may be escaped, once or several times over, where JSON stands inside JSON.
_QUOTE = r"""\\*["']"""
_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(hf_)[A-Za-z0-9]+"), rf"\1{REDACTED}"),
    # Not task-, disk-, mask-; but after an escaped line break, whose last letter is none of the word's.
    (re.compile(r"((?:(?<![A-Za-z0-9])|(?<=\\[nrt]))sk-)[A-Za-z0-9][A-Za-z0-9_-]*"), rf"\1{REDACTED}"),
    (re.compile(r"(ghp_)[A-Za-z0-9]+"), rf"\1{REDACTED}"),
    (re.compile(r"(rpa_)[A-Za-z0-9]+"), rf"\1{REDACTED}"),
    (re.compile(rf"(?im)((?:set-)?cookie(?:{_QUOTE})?\s*[:=]\s*)[^\r\n\"']+"), r"\1***"),
    (re.compile(r"(?i)((?:__host-)?isengard=)[A-Za-z0-9_.-]+"), r"\1***"),
    (
        re.compile(rf"(?i)(authorization(?:{_QUOTE})?\s*[:=]\s*(?:{_QUOTE})?(?:(?:bearer|basic)\s+)?)[^\s\"',;\\]+"),
        r"\1***",
    ),
    (re.compile(r"(?i)(bearer\s+)[A-Za-z0-9._~+/=-]{8,}"), r"\1***"),
    # A quoted value goes to its closing quote, or to the line's end where that was cut off.
    (
        re.compile(rf"(?im)((?:{_NAMES})(?:{_QUOTE})?\s*[:=]\s*b?({_QUOTE}))(?:(?!\2).)*(\2|$)"),
        r"\1***\3",
    ),
    (re.compile(rf"(?i)((?:{_NAMES})(?:=|%3D|\s*:\s*))[^\s&\"',;}}\\]+"), r"\1***"),
    (re.compile(r"([A-Za-z0-9+.-]{1,20}:/{1,3}[^\s:/@]{0,200}:)[^\s/]{1,500}@"), r"\1***@"),
    (
        re.compile(
            r"[/\\]{1,4}(?:Users|home)[/\\]{1,4}"
            r"(?:[^/\\\s\"'][^/\\\"'\n]{0,63}?[/\\]{1,4}|[^/\\\s\"':,;)]{1,64}(?=[\s\"':,;)]|$))"
        ),
        "/[HOME]/",
    ),
)
# What every secret of the rules above has in it: most of what is logged has none of it, and is passed on at once.
_MARKS: tuple[str, ...] = (
    *("hf_", "sk-", "ghp_", "rpa_", "token", "passw", "pwd", "secret", "key", "credential"),
    *("authorization", "bearer", "cookie", "isengard=", ":/", "users", "home"),
)
_ENCODED = re.compile(r"[^\s\"']*%[0-9A-Fa-f]{2}[^\s\"']*")
_SECRET_NAMES = re.compile(rf"(?i)\A(.*[_-])?({_NAMES}|authorization|(set-)?cookie)\Z")


def redact(text: str) -> str:
    """Return text without secrets; where one was percent-encoded, the part around it comes back decoded."""
    if "%" in text:
        text = _ENCODED.sub(_decoded, text)
    return _cleaned(text)


def _cleaned(text: str) -> str:
    small = text.lower()
    if not any(mark in small for mark in _MARKS):
        return text
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text


def _decoded(found: re.Match[str]) -> str:
    """Return an encoded part as it is when it holds no secret, else decoded and clean."""
    plain = found[0]
    for _ in range(3):  # an address inside an address inside an address
        plain = unquote(plain)
    clean = _cleaned(plain)
    return found[0] if clean == plain else clean


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
