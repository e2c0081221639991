"""The socket that sources of synthetic pictures fill."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from isengard.domain.catalogue import Attempt, Catalogue
from isengard.domain.event import Picture, PluginEvent
from isengard.domain.lease import Stop
from isengard.domain.synthetic import SyntheticConfig
from isengard.plugins.protocols import BackendStatus


@dataclass(frozen=True)
class ReferencePicture:
    """A photo of the character: upright file, caption, and the box of its one face in pixels (x, y, width, height)."""

    id: str
    image: Path
    caption: str
    face: tuple[float, float, float, float]


@dataclass(frozen=True)
class ExpansionRun:
    """Everything a source of synthetic pictures is given."""

    job_id: str
    correlation_id: str
    trigger_word: str
    config: SyntheticConfig
    references: Sequence[ReferencePicture]
    references_hash: str
    work_dir: Path
    stop: Stop = field(default_factory=Stop)


@runtime_checkable
class SyntheticSource(Protocol):
    """Makes synthetic pictures of a character from its references.

    ``tell`` takes progress for a person to read. The same run and attempts give the same pictures. A plugin's source
    uses the processor alone; those of Isengard itself draw with the training and image backends, under their leases.
    """

    name: str
    by_reference: bool  # each picture is made from the reference that its attempt names

    def status(self) -> BackendStatus:
        """Tell whether it can run here, without loading anything heavy."""
        ...

    def catalogue(self, run: ExpansionRun) -> Catalogue:
        """Return the shots it takes pictures of, in the words that it understands."""
        ...

    def basis(self, run: ExpansionRun) -> dict[str, Any]:
        """Return all that decides its pictures beside the attempts and the references, for the manifest."""
        ...

    def draw(
        self, run: ExpansionRun, attempts: Sequence[Attempt], tell: Callable[[PluginEvent], None]
    ) -> Iterator[Picture]:
        """Make a picture for each attempt, ``index`` the attempt's; raise Cancelled soon after ``run.stop.cancel``."""
        ...
