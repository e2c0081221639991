"""Restore a backup of scripts/backup.py into a new folder, every file checked by its hash.

    .venv/bin/python scripts/restore.py /mnt/other-disk/isengard-backup /workspace/isengard-restored
    .venv/bin/python scripts/restore.py /mnt/other-disk/isengard-backup --list
    .venv/bin/python scripts/restore.py /mnt/other-disk/isengard-backup --check

Then start Isengard with VOLUME_ROOT set to the new folder.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from isengard.errors import IsengardError  # noqa: E402
from isengard.infra.backup import BackupStore  # noqa: E402
from isengard.infra.storage import GB  # noqa: E402


def main() -> int:
    """Do what was asked; return 0 when every file proved whole."""
    options = _arguments()
    store = BackupStore(options.source.resolve())
    try:
        if options.list:
            for name in store.names():
                snapshot = store.get(name)
                print(f"{name}  {len(snapshot.entries)} files  {snapshot.size / GB:.2f} GB")
            return 0
        snapshot = store.get(options.snapshot)
        if options.check:
            store.verify(snapshot.entries)
            print(f"Backup {snapshot.name} is whole: {len(snapshot.entries)} files.")
            return 0
        _restore(store, options)
    except (IsengardError, OSError) as error:
        print(f"Not restored: {error}\n{getattr(error, 'hint', '')}", file=sys.stderr)
        return 1
    return 0


def _restore(store: BackupStore, options: argparse.Namespace) -> None:
    if options.target is None:
        raise IsengardError("No folder to restore into was named.", "Name a new one after the backup's.")
    target = options.target.resolve()
    partial = target.with_name(f"{target.name}.partial")
    if target.exists() and any(target.iterdir()):
        raise IsengardError(f"{target} is not empty.", "Restore into a new folder.")
    shutil.rmtree(partial, ignore_errors=True)
    snapshot = store.get(options.snapshot)
    store.restore(snapshot, partial, print)
    if target.exists():
        target.rmdir()
    partial.rename(target)
    print(f"Restored {len(snapshot.entries)} files of {snapshot.name}. Start Isengard with VOLUME_ROOT={target}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="folder of the backups")
    parser.add_argument("target", type=Path, nargs="?", help="new folder for the volume")
    parser.add_argument("--snapshot", default="", help="name of a backup (default: the newest)")
    parser.add_argument("--list", action="store_true", help="say which backups there are")
    parser.add_argument("--check", action="store_true", help="only read the backup again and check it")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
