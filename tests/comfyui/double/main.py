"""Starts the protocol double as ComfyUI's own main.py is started: same flags, same log, same exits."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from comfy_double.starting import start

if __name__ == "__main__":
    sys.exit(start(sys.argv[1:]))
