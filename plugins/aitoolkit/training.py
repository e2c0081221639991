"""LoRA training with AI-Toolkit, seen from the app."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from isengard.domain.base_model import BaseModelRow
from isengard.domain.event import PluginEvent, Progress, Weights
from isengard.domain.lease import GpuLease, Needs
from isengard.domain.request import TrainingRequest
from isengard.errors import BackendUnavailable, InvalidInput, IsengardError
from isengard.plugins.process import PeakMemory
from isengard.plugins.protocols import BackendStatus, PluginContext, TrainingAbilities, TrainingRun
from plugins.aitoolkit.abilities import abilities_of
from plugins.aitoolkit.archs import Arch, arch_of, find_arch, missing_files
from plugins.aitoolkit.channels import JobTable, LossRow, losses_after
from plugins.aitoolkit.failures import cause_of
from plugins.aitoolkit.lineage import complete, told
from plugins.aitoolkit.memory import needs_of
from plugins.aitoolkit.place import FILL, NAME, Place
from plugins.aitoolkit.presets import ON_CPU, filled, presets
from plugins.aitoolkit.proof import Expected, check_own, prove, wrong
from plugins.aitoolkit.recipe import NAME as FILE_NAME
from plugins.aitoolkit.recipe import PROMPTS, Folders, write_recipe
from plugins.aitoolkit.said import Said
from plugins.aitoolkit.saves import WEIGHTS, Saves, whole
from plugins.aitoolkit.trainer import Trainer, aliases
from plugins.aitoolkit.watch import SAVING, Asked, Watch, told_late
from plugins.aitoolkit.words import lay_out

Done = tuple[int, Path, PeakMemory | None]  # step and proven file; None: nobody looked at the memory


class AiToolkitTraining:
    """Fills the TrainingBackend socket for every base model that AI-Toolkit has a known architecture for."""

    name = NAME

    def __init__(self, context: PluginContext) -> None:
        self._context = context
        self._place = Place.of(context)
        self._running: set[Trainer] = set()
        self._guard = threading.Lock()

    def status(self) -> BackendStatus:
        """Tell whether AI-Toolkit and its environment are here; starts nothing."""
        return self._place.status()

    def supports(self, base_model: BaseModelRow) -> bool:
        """Tell whether its architecture is known and its weights are here."""
        arch = find_arch(base_model)
        trains = "lora" in base_model.compatibility.supported_training
        return trains and arch is not None and not missing_files(arch, self._place.model_folder(base_model))

    def abilities(self, base_model: BaseModelRow, device: str) -> TrainingAbilities:
        """Return what its architecture heeds on this device."""
        return abilities_of(self._context.project_root, base_model, device)

    def defaults(self, request: TrainingRequest, base_model: BaseModelRow) -> TrainingRequest:
        """Fill what was left out from the preset of the base model."""
        known = presets(self._context.project_root, base_model)
        return filled(request, base_model, known[request.config.preset])

    def needs(self, request: TrainingRequest, base_model: BaseModelRow) -> Needs:
        """Estimate the peak; see memory.py for the formula."""
        return needs_of(self.defaults(request, base_model).config, self._place.model_folder(base_model))

    def check_start(self, path: Path, request: TrainingRequest, base_model: BaseModelRow) -> None:
        """Take files of the same architecture and rank that AI-Toolkit itself has saved."""
        check_own(path, arch_of(base_model).writes, request.config.lora_rank or 0)

    def resumable(self, checkpoint: Path) -> bool:
        """Tell whether every file of a checkpoint has the digest its manifest names, and its weights can be read."""
        return whole(checkpoint)

    def versions(self) -> dict[str, str]:
        """Return what decides the result."""
        return {"ai-toolkit": self._place.version, "ai-toolkit commit": self._place.commit}

    def release(self) -> None:
        """Nothing is kept warm: each run is a process of its own."""

    def close(self) -> None:
        """End what runs; the job goes on from its last checkpoint when it is taken up again."""
        with self._guard:
            running = list(self._running)
        for trainer in running:
            trainer.end()

    # --- one run ----------------------------------------------------------------------------

    def train(self, run: TrainingRun, lease: GpuLease) -> Iterator[PluginEvent]:
        """Train; end with one Weights event whose file has been proven, or raise what went wrong and what to do."""
        arch = arch_of(run.base_model)
        run = replace(run, request=self._request(run, lease.device))
        yield Progress(total_steps=run.request.config.steps or 0, message="Preparing the pictures")
        check(run, arch, self._place)
        folders = write_recipe(run, arch, self._place, lease.device)
        captions = lay_out(run.dataset, run.trigger_word, folders.pictures)
        aliases(self._place.model_folder(run.base_model), arch.aliases, folders.root)
        untold = list(losses_after(folders.loss, run.told_step))  # of an attempt that was killed
        done = self._finished(run, arch, folders)
        if done is None:
            done = yield from self._watched(run, arch, folders, untold)
        else:
            yield from told_late(untold, done[0], done[0])
        step, file, memory = done
        yield Progress(step=step, total_steps=run.request.config.steps or 0, message="Checking the result")
        target = run.work_dir / "weights" / f"{FILE_NAME}.safetensors"
        complete(file, target, told(run, arch, captions, step, self.versions()))
        prove(target, expected(run, arch, step))
        tidy(folders)
        peaks = {"peak_vram_gb": memory.vram_gb, "peak_ram_gb": memory.ram_gb} if memory else {}
        yield Weights(step=step, path=str(target), **peaks)

    def _request(self, run: TrainingRun, device: str) -> TrainingRequest:
        config = run.request.config.model_copy(update={"image_count": len(run.dataset)})
        request = self.defaults(run.request.model_copy(update={"config": config}), run.base_model)
        if device != "cpu":
            return request
        return request.model_copy(update={"config": request.config.model_copy(update=ON_CPU)})

    def _finished(self, run: TrainingRun, arch: Arch, folders: Folders) -> Done | None:
        """Return the result of an earlier attempt that trained to the end but could not say so."""
        steps = run.request.config.steps or 0
        file = folders.out / f"{FILE_NAME}.safetensors"
        if not folders.jobs.is_file() or JobTable(folders.jobs).read().status != "completed":
            return None
        try:
            prove(file, expected(run, arch, steps))
        except IsengardError as error:
            self._context.log("aitoolkit.result_unusable", error=error.message, correlation_id=run.correlation_id)
            return None
        return steps, file, None

    def _watched(
        self, run: TrainingRun, arch: Arch, folders: Folders, untold: Sequence[LossRow]
    ) -> Generator[PluginEvent, None, Done]:
        """Start AI-Toolkit where the newest whole checkpoint is, watch it to its end, return the proven result."""
        config = run.request.config
        said, jobs = Said(self._teller(run, folders), FILE_NAME), JobTable(folders.jobs)
        saves = Saves(folders.out, run.work_dir / "checkpoints", lambda: said.saving or jobs.read().info == SAVING)
        start = self._start_step(run, saves, jobs)
        yield from told_late(untold, start, config.steps or 0)
        asked = Asked(config.steps or 0, len(run.dataset), config.sample_prompts or PROMPTS, start)
        with self._started(folders, said) as trainer:
            self._context.log("aitoolkit.started", pid=trainer.pid, step=start, correlation_id=run.correlation_id)
            watch = Watch(trainer, said, jobs, folders, saves, asked, run.stop)
            yield from watch.events()
            return (*self._result(run, arch, folders, watch), trainer.memory)

    def _start_step(self, run: TrainingRun, saves: Saves, jobs: JobTable) -> int:
        """Bring home what an attempt that was killed had saved; lay back the newest checkpoint that proves whole."""
        saves.look()
        newest = saves.newest()
        start = saves.lay_back(newest[1] if newest else run.resume_from)
        jobs.create()
        return start

    @contextmanager
    def _started(self, folders: Folders, said: Said) -> Iterator[Trainer]:
        try:
            trainer = Trainer(self._place, folders, said)
        except OSError as error:
            raise BackendUnavailable(f"AI-Toolkit cannot be started: {error}.", FILL) from error
        with self._guard:
            self._running.add(trainer)
        try:
            yield trainer
        finally:
            trainer.end()
            with self._guard:
                self._running.discard(trainer)

    def _result(self, run: TrainingRun, arch: Arch, folders: Folders, watch: Watch) -> tuple[int, Path]:
        code, said = watch.trainer.code or 0, watch.said
        if watch.keeping and said.stopped:
            newest = watch.saves.newest()
            if newest is None:
                raise wrong("the checkpoint to keep is damaged")
            step, file = newest[0], newest[1] / WEIGHTS
        elif code == 0 and not said.stopped:
            step, file = watch.asked.steps, folders.out / f"{FILE_NAME}.safetensors"
        else:
            raise cause_of(code, said)
        prove(file, expected(run, arch, step))
        if not said.found:
            raise wrong("AI-Toolkit did not say how many pictures it used")
        return step, file

    def _teller(self, run: TrainingRun, folders: Folders) -> Callable[[str], None]:
        def tell(text: str) -> None:
            with folders.log.open("a", encoding="utf-8") as file:
                file.write(text + "\n")
            self._context.log("aitoolkit.said", text=text, correlation_id=run.correlation_id)

        return tell


def check(run: TrainingRun, arch: Arch, place: Place) -> None:
    """Raise what cannot work before anything heavy is loaded."""
    config = run.request.config
    folder = place.model_folder(run.base_model)
    if missing := missing_files(arch, folder):
        raise BackendUnavailable(
            f"Files of {run.base_model.name} are missing: {', '.join(missing)} in {folder.name}.",
            "Download the base model in the Models view, then retry the job.",
        )
    seen = (config.steps or 0) * (config.batch_size or 1) * config.gradient_accumulation
    if seen < len(run.dataset):
        raise InvalidInput(
            f"{config.steps} steps are too few for {len(run.dataset)} pictures: some would never be trained on.",
            f"Ask for at least {-(-len(run.dataset) // (config.batch_size or 1))} steps.",
        )
    if config.preserve_class and not run.trigger_word:
        raise InvalidInput("Keeping others unchanged needs a trigger word.", "Give the character a trigger word.")


def expected(run: TrainingRun, arch: Arch, step: int) -> Expected:
    """Return what the file must say."""
    config = run.request.config
    return Expected(config.lora_rank or 0, step, config.lora_alpha if arch.alpha else None, arch.writes)


def tidy(folders: Folders) -> None:
    """Delete what only a resume needs; samples, the loss, the config and the log stay."""
    for path in [*folders.out.glob(f"{FILE_NAME}*"), folders.out / "optimizer.pt"]:
        path.unlink(missing_ok=True)
    shutil.rmtree(folders.pictures, ignore_errors=True)
