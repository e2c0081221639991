"""Back the volume up into a folder while Isengard runs: only what changed, and verified.

    .venv/bin/python scripts/backup.py /mnt/other-disk/isengard-backup

Reads the same settings as the app (VOLUME_ROOT, ISENGARD_WEBHOOK_URL). Models and the cache are left out: they can be
fetched and made again. A backup that fails is told to the webhook. Restore with scripts/restore.py.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from isengard.config import Settings  # noqa: E402
from isengard.domain.base import utc_now  # noqa: E402
from isengard.errors import IsengardError  # noqa: E402
from isengard.infra.backup import BackupStore  # noqa: E402
from isengard.infra.storage import GB, Storage  # noqa: E402
from isengard.infra.webhook import Notice, Webhook  # noqa: E402


def main() -> int:
    """Back up, prune, and say what was done; return 0 when all of it was verified."""
    options = _arguments()
    settings = Settings()
    storage = Storage(settings.volume_root)
    store = BackupStore(options.target.resolve())
    try:
        told = _back_up(storage, store, options)
    except (IsengardError, OSError) as error:
        hint = getattr(error, "hint", "")
        print(f"The backup failed: {error}\n{hint}", file=sys.stderr)
        _note(storage, ok=False, text=str(error), target=store.folder)
        Webhook.of(settings).send(Notice("The backup failed", f"{error} {hint}".strip(), urgent=True))
        return 1
    print(told)
    _note(storage, ok=True, text=told, target=store.folder)
    return 0


def _back_up(storage: Storage, store: BackupStore, options: argparse.Namespace) -> str:
    if store.folder.is_relative_to(storage.root):
        raise IsengardError(f"{store.folder} is on the volume itself.", "Choose a folder on another disk.")
    if not storage.characters().is_dir():
        raise IsengardError(f"{storage.root} is no volume of Isengard.", "Set VOLUME_ROOT to the volume.")
    started = time.monotonic()
    before = len(list(store.folder.glob("objects/*/*")))
    snapshot = store.take(storage, print if options.verbose else lambda _: None, with_models=options.models)
    fresh = len(list(store.folder.glob("objects/*/*"))) - before
    if options.verify:
        store.verify(snapshot.entries)
    gone = store.prune(options.keep)
    seconds = time.monotonic() - started
    checked = "all contents verified" if options.verify else "new contents verified"
    return (
        f"Backup {snapshot.name}: {len(snapshot.entries)} files, {snapshot.size / GB:.2f} GB, {fresh} new contents, "
        f"{gone} old ones deleted, {checked}, {seconds:.1f} s"
    )


def _note(storage: Storage, *, ok: bool, text: str, target: Path) -> None:
    """Leave word for the System tab; a volume that takes no writes must not hide how the backup went."""
    if not storage.characters().is_dir():
        return
    told = {"at": utc_now().isoformat(), "ok": ok, "text": text, "target": str(target)}
    try:
        storage.write_json(storage.last_backup, told)
    except (IsengardError, OSError) as error:
        print(f"The volume could not be told: {error}", file=sys.stderr)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", type=Path, help="folder of the backups, on another disk")
    parser.add_argument("--keep", type=int, default=14, help="backups to keep (default: 14)")
    parser.add_argument("--models", action="store_true", help="base models too")
    parser.add_argument("--verify", action="store_true", help="read all contents again, not only new ones")
    parser.add_argument("--verbose", action="store_true", help="a line for each part of the volume")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
