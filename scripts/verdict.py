"""How a script that promises something ends: what is wrong, line by line, then one word; and its exit status."""

from __future__ import annotations


def verdict(wrong: list[str], passed: str = "passed") -> int:
    """Print it; return 1 when anything is wrong."""
    for line in wrong:
        print(f"  wrong: {line}")
    print("FAILED" if wrong else passed)
    return bool(wrong)
