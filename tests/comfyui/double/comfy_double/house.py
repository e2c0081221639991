"""Everything one running double consists of, handed to the routes."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from comfy_double.acts import Acts
from comfy_double.engine import Engine
from comfy_double.folders import Folders
from comfy_double.log import Log
from comfy_double.sockets import Sockets, Transports


@dataclass
class House:
    """One of each."""

    flags: argparse.Namespace
    arguments: list[str]
    acts: Acts
    folders: Folders
    log: Log
    sockets: Sockets
    engine: Engine
    transports: Transports
    counter: int = 0
