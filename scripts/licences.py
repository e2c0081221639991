"""Prints the licence of everything that the app brings along; fails when one is unknown or forbids what MIT allows.

``python scripts/licences.py`` prints the sums, ``--all`` every package.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import defaultdict
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement

# Licences by which a program under MIT may use a library as it stands, and what they are called in package metadata.
FREE = {
    "MIT": r"MIT(-CMU| License)?",
    "BSD": r"(0|\d-Clause |Modified )?BSD([- ]\d-Clause)?( License)?|BSD-\d-Clause",
    "Apache-2.0": r"Apache([- ]2\.0|[- ]License,? (Version )?2\.0|( 2\.0| Software)? License)( WITH LLVM-exception)?",
    "MPL-2.0": r"MPL-2\.0|Mozilla Public License 2\.0( \(MPL 2\.0\))?",
    "ISC": r"ISC( License( \(ISCL\))?)?",
    "PSF": r"PSF-2\.0|CNRI-Python|Python Software Foundation License",
    "Zlib, BSL, CC0": r"Zlib|BSL-1\.0|CC0-1\.0",
}
# Copyleft libraries that wheels carry inside. They are used as they stand; an image that is given away has them too.
INSIDE = {
    "libx265": "GPL-2.0",
    "libheif": "LGPL-3.0",
    "libde265": "LGPL-3.0",
    "libavcodec": "LGPL-2.1",
    "libavformat": "LGPL-2.1",
    "libgfortran": "GPL-3.0 with the runtime exception",
}


def inside(package: Distribution) -> list[str]:
    """Return the copyleft libraries that a package's wheel carries."""
    stems = {file.name.partition("-")[0].partition(".")[0] for file in package.files or [] if ".so" in file.name}
    return [f"{stem} ({INSIDE[stem]})" for stem in sorted(stems & INSIDE.keys())]


def tree(root: str) -> dict[str, Distribution]:
    """Return every package that ``root`` needs on this machine, by its normal name."""
    found: dict[str, Distribution] = {}
    waiting = [root]
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop().lower())
        if name in found:
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:  # an optional one that is not installed
            continue
        needs = [Requirement(text) for text in found[name].requires or []]
        waiting += [need.name for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]
    return found


def licence(package: Distribution) -> str:
    """Return what a package says of its licence: SPDX first, then its classifiers, then its own words."""
    told = package.metadata
    if expression := told.get("License-Expression"):
        return str(expression)
    classified = [line.split(" :: ")[-1] for line in told.get_all("Classifier") or [] if line.startswith("License ::")]
    own = (told.get("License") or "").strip().splitlines()
    return " AND ".join(one for one in classified if one != "OSI Approved") or (own[0] if own else "unknown")


def kinds(text: str) -> set[str]:
    """Return the kinds in a licence expression; of those joined by OR, one that is free suffices."""
    found: set[str] = set()
    for part in re.split(r"\s+AND\s+", text):
        choices = [kind_of(one) for one in re.split(r"\s+OR\s+", part)]
        free = [one for one in choices if one in FREE]
        found.add(free[0] if free else choices[0])
    return found


def kind_of(text: str) -> str:
    """Return the kind of one licence, or its own name when it is none of the free ones."""
    bare = text.strip()
    for candidate in (bare, bare.strip("()")):
        for kind, pattern in FREE.items():
            if re.fullmatch(pattern, candidate, re.IGNORECASE):
                return kind
    return bare


def main() -> int:
    """Print and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true", help="print every package")
    options = parser.parse_args()
    found = tree("isengard")
    packages = {name: licence(package) for name, package in found.items()}
    sums: dict[str, list[str]] = defaultdict(list)
    for name, text in sorted(packages.items()):
        for kind in kinds(text):
            sums[kind].append(name)
        if options.all:
            print(f"{name:28} {text}")
    for kind, names in sorted(sums.items()):
        print(f"{len(names):4} {kind}" + ("" if kind in FREE else f": {', '.join(names)}"))
    for name, package in sorted(found.items()):
        if carried := inside(package):
            print(f"     {name} carries {', '.join(carried)}")
    bad = sorted(kind for kind in sums if kind not in FREE)
    print(
        f"licences: {len(packages)} packages, {len(bad)} licences to look at" + (f": {', '.join(bad)}" if bad else "")
    )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
