"""Downloads models of the registry: in parallel, resumable, checked. Without names it lists what there is.

Nothing but sota/registry.yml says what is fetched and from where. HF_TOKEN is sent to Hugging Face alone, for models
whose licence must be accepted there. Ended with Ctrl-C, it goes on where it was the next time.
Exit status: 0 all is here, 1 something could not be fetched, 130 ended by Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from pathlib import Path

from pydantic import SecretStr

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from isengard.config import Settings  # noqa: E402 - scripts is no package
from isengard.domain.base_model import BaseModelRow, Source  # noqa: E402
from isengard.errors import Cancelled, IsengardError  # noqa: E402
from isengard.infra.download_plan import missing_bytes  # noqa: E402
from isengard.infra.download_progress import Report, amount  # noqa: E402
from isengard.infra.downloads import HUGGING_FACE, Downloader  # noqa: E402
from isengard.infra.gpu import find_gpu  # noqa: E402
from isengard.infra.sota import Registry  # noqa: E402
from isengard.infra.storage import GB, Storage  # noqa: E402

WIDTH = 30


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line asks; return the exit status."""
    options = _parser().parse_args(arguments)
    settings = Settings()
    storage = Storage(options.volume or settings.volume_root, settings.min_free_disk_gb)
    registry = Registry(options.registry or settings.registry, ROOT, storage.models)
    token = os.environ.get("HF_TOKEN")
    endpoint = os.environ.get("HF_ENDPOINT") or HUGGING_FACE
    loader = Downloader(storage, SecretStr(token) if token else None, endpoint, options.parallel)
    try:
        rows = [registry.get(name) for name in options.models]
        if options.check_gpu:
            check_gpu(rows or registry.rows())
        elif not rows:
            show(registry.rows(), loader)
        else:
            storage.prepare()
            for row in rows:
                fetch(row, _sources(registry, row, options), loader, dry_run=options.dry_run)
    except Cancelled:
        print("Ended. What came is kept: run it again to go on.", file=sys.stderr)
        return 130
    except IsengardError as error:
        print(f"{error.message}\n{error.hint}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", help="ids of the registry")
    parser.add_argument("--source", default="", help="which of a model's sources; without it, its first")
    parser.add_argument("--for", dest="use", choices=("images", "training", "faces"), help="all sources for this use")
    parser.add_argument("--dry-run", action="store_true", help="say what would be fetched, and fetch nothing")
    parser.add_argument("--check-gpu", action="store_true", help="say which models fit this machine's GPU")
    parser.add_argument("--parallel", type=int, default=4, help="files at once (4)")
    parser.add_argument("--registry", type=Path, help="another registry file")
    parser.add_argument("--volume", type=Path, help="another volume than VOLUME_ROOT")
    return parser


def _sources(registry: Registry, row: BaseModelRow, options: argparse.Namespace) -> list[Source]:
    wanted = [source for source in row.sources if options.use in source.use] if options.use else []
    return wanted or [registry.source(row, options.source)]


def show(rows: list[BaseModelRow], loader: Downloader) -> None:
    """List models, their sources, sizes and licences."""
    for row in rows:
        money = "" if row.commercial_use else ", not for commercial use"
        print(f"{row.id}: {row.name} ({row.license}{money})")
        for source in row.sources:
            items = loader.named(source)
            here = "here" if (all(item.here for item in items) if items else loader.came(source)) else "not here"
            gate = ", needs HF_TOKEN" if source.gated else ""
            print(f"    {source.id}: {', '.join(source.use)}, {source.bytes / GB:.1f} GB, {here}{gate}")


def check_gpu(rows: list[BaseModelRow]) -> None:
    """Say of each model which tasks fit the GPU that is here."""
    gpu = find_gpu()
    print(f"GPU: {gpu.name}, {gpu.vram_gb:.0f} GB" if gpu else "GPU: none (nvidia-smi finds none)")
    for row in rows:
        for task, needs in row.needs.items():
            fits = needs.vram_gb <= (gpu.vram_gb if gpu else 0)
            print(f"  {row.id}, {task}: {needs.vram_gb:.0f} GB, {'fits' if fits else 'does not fit'}")


def fetch(row: BaseModelRow, sources: list[Source], loader: Downloader, *, dry_run: bool) -> None:
    """Fetch sources one after the other, or say what that would be."""
    for source in sources:
        if row.license_note or not row.commercial_use:
            print(f"{row.name}: {row.license}. {row.license_note or 'Not for commercial use.'}")
        if dry_run:
            items = loader.plan(source)
            for item in items:
                print(f"  {'here' if item.here else 'fetch'}  {(item.size or 0) / GB:8.2f} GB  {item.name}")
            print(f"{row.id} {source.id}: {missing_bytes(items, source.bytes) / GB:.2f} GB to fetch")
            continue
        done = _with_bars(row, source, loader)
        for name, digest in done.items():
            print(f"  {digest}  {name}")
        print(f"{row.id} {source.id}: {len(done)} files came" if done else f"{row.id} {source.id}: all of it is here")


def _with_bars(row: BaseModelRow, source: Source, loader: Downloader) -> dict[str, str]:
    """Fetch in a thread of its own, so that Ctrl-C is heard at once."""
    stop, bars, outcome = threading.Event(), Bars(sys.stderr.isatty()), {}

    def work() -> None:
        try:
            outcome["done"] = loader.fetch(row, source, bars, stop)
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that was asked
            outcome["error"] = error

    thread = threading.Thread(target=work, name="download")
    thread.start()
    while thread.is_alive():
        try:
            thread.join(0.2)
        except KeyboardInterrupt:
            stop.set()
    if "error" in outcome:
        raise outcome["error"]
    return outcome["done"]


class Bars:
    """One line a file in a terminal, drawn over; elsewhere a line every ten seconds."""

    def __init__(self, live: bool) -> None:  # noqa: FBT001 - what the terminal is
        self._live = live
        self._drawn = 0
        self._said = 0.0

    def __call__(self, report: Report) -> None:
        """Draw the present state."""
        if self._live:
            busy = [pair for pair in report.files.items() if pair[1].doing in {"fetching", "checking"}]
            lines = [_bar(name.rsplit("/", 1)[-1], file.done, file.total or 0) for name, file in busy]
            lines.append(report.message)
            up = f"\x1b[{self._drawn}F" if self._drawn else ""
            print(up + "".join(f"\x1b[2K{line}\n" for line in lines) + "\x1b[J", end="", file=sys.stderr, flush=True)
            self._drawn = len(lines)
        elif time.monotonic() - self._said > 10:
            self._said = time.monotonic()
            print(report.message, file=sys.stderr, flush=True)


def _bar(name: str, done: int, total: int) -> str:
    full = round(WIDTH * done / total) if total else 0
    return f"{'#' * full}{'.' * (WIDTH - full)} {amount(done, total)} {name[:40]}"


if __name__ == "__main__":
    sys.exit(main())
