"""The backend over the stand-in, or over a real AI-Toolkit: runs that are easy to make."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from PIL import Image

from isengard.domain.base_model import BaseModelRow, Compatibility
from isengard.domain.event import Metric, PluginEvent, Weights
from isengard.domain.lease import GpuLease, Needs, Stop
from isengard.domain.request import TrainingConfig, TrainingRequest
from isengard.plugins.protocols import DatasetItem, PluginContext, TrainingRun
from plugins.aitoolkit import backends
from plugins.aitoolkit.archs import arch_of
from plugins.aitoolkit.training import AiToolkitTraining

ROOT = Path(__file__).resolve().parents[2]
DOUBLE = Path(__file__).parent / "double"
PLAN = "AITOOLKIT_DOUBLE_PLAN"
LEASE = GpuLease("train-test", Needs(), "cpu")
CAPTIONS = ("a photo of ohwx, smiling", "ohwx ${HOME} [name] in Zürich --w 5", "")


@dataclass
class Bench:
    """``folder`` holds models, pictures and the stand-in's plan; every run has a work folder of its own."""

    folder: Path
    checkout: Path = DOUBLE
    python: Path = Path(sys.executable)
    said: list[str] = field(default_factory=list)

    @property
    def training(self) -> AiToolkitTraining:
        """A backend that has looked at nothing yet."""
        options = {"aitoolkit_dir": str(self.checkout), "aitoolkit_python": str(self.python)}
        context = PluginContext(ROOT, self.folder / "cache", self.models, 600, self._log, options=options)
        return backends(context)[0]

    @property
    def models(self) -> Path:
        """Where base models lie."""
        return self.folder / "models"

    def _log(self, event: str, **fields: object) -> None:
        self.said.append(f"{event} {fields.get('text', '')}")

    def plan(self, **plan: Any) -> None:
        """Tell the stand-ins that are started from now on what to do."""
        path = self.folder / "plan.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(plan), encoding="utf-8")
        os.environ[PLAN] = str(path)

    def base(self, family: str = "sd15", name: str = "") -> BaseModelRow:
        """A row, and files of no content where its weights would be."""
        row = row_of(family, name)
        place_model(self.models / row.id, row)
        return row

    def pictures(self, count: int = 3) -> list[DatasetItem]:
        """Small pictures with difficult captions and names."""
        items = []
        for number in range(count):
            path = self.folder / "pictures" / f"Zoë {number}.png"
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.effect_noise((96, 96), 40 + 30 * number).convert("RGB").save(path)
            items.append(DatasetItem(path, CAPTIONS[number % len(CAPTIONS)]))
        return items

    def run(
        self, work: Path, stop: Stop | None = None, base: BaseModelRow | None = None, **config: object
    ) -> TrainingRun:
        """A short training."""
        base = base or self.base()
        usual = {"base_model": base.id, "steps": 12, "save_every": 4, "sample_every": 6, "lora_rank": 4}
        usual |= {"resolutions": (64,), "sample_steps": 2, "sample_prompts": ("a photo of [trigger] --w 9",)}
        wanted = usual | {"optimizer": "adamw", "flip": False} | config
        return TrainingRun(
            job_id="train-test",
            correlation_id="req-test",
            request=TrainingRequest(character_id="char-test", config=TrainingConfig.model_validate(wanted)),
            base_model=base,
            base_model_sha256="ab" * 32,
            trigger_word="ohwx",
            dataset=self.pictures(),
            dataset_hash="cd" * 32,
            work_dir=work,
            stop=stop or Stop(),
        )

    def events(self, run: TrainingRun) -> Iterator[PluginEvent]:
        """Train."""
        return self.training.train(run, LEASE)

    def train(self, run: TrainingRun) -> tuple[list[PluginEvent], Path]:
        """Train to the end; return all events and the file."""
        events = list(self.events(run))
        assert isinstance(events[-1], Weights)
        return events, Path(events[-1].path)


def row_of(family: str, name: str = "") -> BaseModelRow:
    """A base model of the tests."""
    return BaseModelRow(
        id=name or f"tiny-{family}",
        name=f"Tiny {family}",
        source="made by the tests",
        license="MIT",
        version="1",
        purpose="tests",
        family=family,
        resolution=64,
        compatibility=Compatibility(supported_training=("lora",)),
    )


def place_model(folder: Path, row: BaseModelRow) -> None:
    """Make the files that a training on this model looks for."""
    for pattern in arch_of(row).files:
        path = folder / pattern.replace("*", "model")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def until(events: Iterator[PluginEvent], wanted: Callable[[PluginEvent], bool]) -> list[PluginEvent]:
    """Take events up to one that is wanted."""
    taken: list[PluginEvent] = []
    for event in events:
        taken.append(event)
        if wanted(event):
            return taken
    raise AssertionError(taken[-3:])


def again(run: TrainingRun, told: Sequence[PluginEvent]) -> TrainingRun:
    """Make the next attempt of a run that got so far."""
    return replace(run, told_step=max((event.step for event in of_kind(told, Metric)), default=0))


def of_kind(events: Sequence[PluginEvent], kind: type) -> list[Any]:
    """Return the events of a kind."""
    return [event for event in events if isinstance(event, kind)]
