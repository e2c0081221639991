"""Synthetic pictures by a quick LoRA: trained on the references first, then drawn with on the same base model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from isengard.domain.base_model import BaseModelRow
from isengard.domain.catalogue import Attempt, Catalogue
from isengard.domain.event import Metric, Picture, PluginEvent, Progress, Weights
from isengard.domain.lora import Lora
from isengard.domain.request import GenerationRequest, LoraUse, TrainingConfig, TrainingRequest
from isengard.domain.shot import Shot
from isengard.errors import BackendOutput
from isengard.infra.gpu import Arbiter
from isengard.infra.library import LoraShelf
from isengard.infra.shots import Catalogues
from isengard.infra.sota import Registry, sha256_of
from isengard.infra.storage import Storage
from isengard.plugins.protocols import BackendStatus, DatasetItem, ImageRun, LoraFile, TrainingBackend, TrainingRun
from isengard.plugins.registry import Plugins
from isengard.plugins.sources import ExpansionRun
from isengard.workers.train_lora import newest_checkpoint

NAME = "proto_lora"
QUICK = "quick"  # folder of their LoRAs, beside those of the characters
Tell = Callable[[PluginEvent], None]
log = structlog.get_logger("workers.proto_lora")


@dataclass(frozen=True)
class ProtoLora:
    """Fills the SyntheticSource socket with whatever trains and draws here: pocket on a CPU, ComfyUI on a GPU.

    The quick LoRA is kept under what it was trained from, so that a second expansion, or the same one after a crash,
    draws at once. It is in no list of LoRAs.
    """

    storage: Storage
    loras: LoraShelf
    registry: Registry
    plugins: Plugins
    arbiter: Arbiter
    catalogues: Catalogues
    name = NAME
    by_reference = False

    def status(self) -> BackendStatus:
        """Tell whether some base model can both be trained and drawn with here."""
        if any(self._works(row) for row in self.registry.base_models()):
            return BackendStatus(NAME, "synthetic", available=True)
        return BackendStatus(
            NAME,
            "synthetic",
            available=False,
            reason="No base model can be trained and drawn with here.",
            hint="See the Models tab for what is missing.",
        )

    def _works(self, row: BaseModelRow) -> bool:
        trains = any(one.status().available and one.supports(row) for one in self.plugins.training)
        return trains and any(one.status().available and one.supports(row) for one in self.plugins.image)

    def catalogue(self, run: ExpansionRun) -> Catalogue:
        """Return the shots in the words of the base model's family."""
        return self.catalogues.of_family(self._base(run).family)

    def basis(self, run: ExpansionRun) -> dict[str, Any]:
        """Return base model, LoRA and drawing settings."""
        base = self._base(run)
        drawing = self._request(base, "any", 0).model_dump(exclude_none=True, exclude_defaults=True)
        kept = {name: value for name, value in drawing.items() if name not in {"prompt", "seed", "loras"}}
        lora: Any = self._training(run, base).config.model_dump(exclude_defaults=True)
        if run.config.lora_id:
            lora = {"id": run.config.lora_id, "sha256": self.loras.get(run.config.lora_id).sha256}
        return {"base_model_sha256": self.registry.weights_sha256(base), "drawing": kept, "lora": lora}

    def draw(self, run: ExpansionRun, attempts: Sequence[Attempt], tell: Tell) -> Iterator[Picture]:
        """Train when there is no LoRA of these references yet, then draw."""
        base = self._base(run)
        lora = self._lora(run, base, tell)
        shots = [
            Shot(index=one.index, request=self._request(base, one.prompt, one.seed, lora.lora.id)) for one in attempts
        ]
        backend = self.plugins.image_for(base)
        work = run.work_dir / "drawn"
        drawing = ImageRun(run.job_id, run.correlation_id, shots[0].request, base, [lora], work, run.stop, shots)
        needs = backend.needs(shots[0].request.model_copy(update={"count": len(shots)}), base)
        with self.arbiter.lease(run.job_id, "synthetic pictures", needs, run.stop, _waiter(tell)) as lease:
            for event in backend.generate(drawing, lease):
                if isinstance(event, Picture):
                    yield event
                elif isinstance(event, Progress):
                    tell(event)

    def _base(self, run: ExpansionRun) -> BaseModelRow:
        return self.registry.get(run.config.base_model)

    def _request(self, base: BaseModelRow, prompt: str, seed: int, lora_id: str = NAME) -> GenerationRequest:
        request = GenerationRequest(prompt=prompt, seed=seed, base_model=base.id, loras=(LoraUse(id=lora_id),))
        return self.plugins.image_for(base).defaults(request, base)

    # --- the quick LoRA ---------------------------------------------------------------------

    def _training(self, run: ExpansionRun, base: BaseModelRow) -> TrainingRequest:
        config = TrainingConfig(base_model=base.id, preset="quick")
        request = TrainingRequest(character_id=run.job_id, config=config)
        return self.plugins.training_for(base).defaults(request, base)

    def _lora(self, run: ExpansionRun, base: BaseModelRow, tell: Tell) -> LoraFile:
        if run.config.lora_id:
            chosen = self.loras.get(run.config.lora_id)
            return LoraFile(chosen, self.loras.path(chosen), 1.0)
        request = self._training(run, base)
        made_of = {"basis": self.basis(run), "references": run.references_hash, "trigger": run.trigger_word}
        key = hashlib.sha256(json.dumps(made_of, sort_keys=True, default=str).encode()).hexdigest()[:32]
        target = self.storage.loras(QUICK) / f"{key}.safetensors"
        if not target.exists():
            weights = self._train(run, base, request, tell)
            self.storage.publish(weights, target)
            self.storage.remove(run.work_dir / "quick")
        lora = Lora(
            id=f"lora-{key}",
            character_id=QUICK,
            version=key,
            trigger_word=run.trigger_word,
            base_model=base.id,
            sha256=sha256_of([target]),
        )
        return LoraFile(lora, target, 1.0)

    def _train(self, run: ExpansionRun, base: BaseModelRow, request: TrainingRequest, tell: Tell) -> Path:
        backend = self.plugins.training_for(base)
        work = run.work_dir / "quick"
        work.mkdir(parents=True, exist_ok=True)
        training = TrainingRun(
            job_id=run.job_id,
            correlation_id=run.correlation_id,
            request=request,
            base_model=base,
            base_model_sha256=self.registry.weights_sha256(base),
            trigger_word=run.trigger_word,
            dataset=[DatasetItem(one.image, one.caption) for one in run.references],
            dataset_hash=run.references_hash,
            work_dir=work,
            resume_from=newest_checkpoint(work, backend),
            stop=run.stop,
        )
        return self._weights(backend, training, tell)

    def _weights(self, backend: TrainingBackend, training: TrainingRun, tell: Tell) -> Path:
        needs = backend.needs(training.request, training.base_model)
        path: Path | None = None
        with self.arbiter.lease(training.job_id, "a quick LoRA", needs, training.stop, _waiter(tell)) as lease:
            for event in backend.train(training, lease):
                if isinstance(event, Metric):
                    words = f"Training a quick LoRA first: step {event.step} of {event.total_steps}"
                    tell(Progress(message=words, eta_seconds=event.eta_seconds))
                elif isinstance(event, Weights):
                    path = Path(event.path)
        if path is None:
            raise BackendOutput(f"{backend.name} ended without weights.", "See the worker log; then retry the job.")
        log.info("quick_lora.trained", references=len(training.dataset))
        return path


def _waiter(tell: Tell) -> Callable[[str], None]:
    return lambda message: tell(Progress(message=message))
