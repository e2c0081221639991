"""Asks whether a known vulnerability touches a pinned package: ``python scripts/audit.py``.

Exit status 0: none; 1: some, named; 3: nobody could be asked, which is said and is not the same as none. pip-audit
calls a package that an index does not know "skipped" and ends well, so a pin with a known hole is asked about first.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
CONTROL = "jinja2==2.10"  # CVE-2019-10906; whoever knows no hole in it knows nothing
SERVICES = ("pypi", "osv")
NONE, SOME, NOT_DONE = 0, 1, 3


def asked(pins: list[str], service: str) -> list[dict[str, Any]] | None:
    """Return pip-audit's verdict on each pin, or None when the service cannot be reached."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(pins) + "\n")
        file.flush()
        command = [sys.executable, "-m", "pip_audit", "-s", service, "-r", file.name, "--no-deps", "--disable-pip"]
        command += ["--format", "json", "--progress-spinner", "off", "--timeout", "10"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (json.JSONDecodeError, KeyError):
        return None
    return found


def pinned() -> list[str]:
    """Return the lines of constraints.txt that pin something."""
    return [line for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line]


def verdict(pins: list[str], found: list[dict[str, Any]], service: str) -> int:
    """Print what was found; return the exit status."""
    holes = [(one, hole) for one in found for hole in one.get("vulns", [])]
    for one, hole in holes:
        fixed = ", ".join(hole["fix_versions"]) or "no version"
        print(f"{one['name']} {one['version']}: {hole['id']}, fixed in {fixed}")
    unknown = [one["name"] for one in found if "skip_reason" in one]
    if unknown:
        print(f"audit: {service} does not know {', '.join(unknown)}")
    print(f"audit: {len(pins)} packages asked about at {service}, {len(holes)} known vulnerabilities")
    if holes:
        return SOME
    return NOT_DONE if unknown else NONE


def main() -> int:
    """Ask the first service that knows the control."""
    pins = pinned()
    for service in SERVICES:
        control = asked([CONTROL], service)
        if control and any(one.get("vulns") for one in control):
            found = asked(pins, service)
            return verdict(pins, found, service) if found is not None else NOT_DONE
        print(f"audit: {service} cannot be asked from here: it does not know the hole in {CONTROL}")
    print(f"audit: NOT DONE for {len(pins)} packages. Run it where pypi.org or api.osv.dev can be reached.")
    return NOT_DONE


if __name__ == "__main__":
    sys.exit(main())
