"""The preflight oracle: what a training would take here, whether that fits, and the nearest setting that does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from isengard.domain.base_model import BaseModelRow
from isengard.domain.lease import Needs
from isengard.domain.lora import Lora
from isengard.domain.preflight import Estimate, Preflight, Resource, Suggestion, Trust, Verdict
from isengard.domain.request import TrainingRequest
from isengard.domain.speed import duration_of
from isengard.infra.gpu import Arbiter
from isengard.infra.library import LoraShelf
from isengard.infra.machine import machine_name
from isengard.infra.storage import Storage
from isengard.plugins.tiers import changed, in_words, nearest_fit
from isengard.services.training import Training, TrainingPlan

TIGHT = 0.9  # of what there is: an estimate is not truer than a tenth
TEN = 10  # GB: from here on without decimals
AGREES = 0.25  # estimate and registry, relative to the registry's
UNKNOWN_TIME = "Nothing was trained with it on this machine yet; the first steps will tell."
NAMES: dict[Resource, str] = {"gpu_memory": "GPU memory", "memory": "main memory", "disk": "disk"}


@dataclass(frozen=True)
class PreflightOracle:
    """Asks the backend, the registry and earlier runs; makes nothing."""

    training: Training
    loras: LoraShelf
    storage: Storage
    arbiter: Arbiter
    price_per_hour: float = 0  # of this machine, in any currency; 0: not told

    def look(self, request: TrainingRequest, price_per_hour: float | None = None) -> Preflight:
        """Say what it would take; raise what would refuse it whatever its size, such as a character without pictures.

        ``price_per_hour`` is what the machine costs, in any currency; None: as the settings say.
        """
        price = self.price_per_hour if price_per_hour is None else price_per_hour
        plan = self.training.plan(request)
        past = self.loras.all()
        estimates = (*self._memory(plan, past), self._disk(plan.needs), *self._time(plan, past, price))
        worst = max(estimates, key=lambda one: _ORDER.index(one.verdict))
        return Preflight(
            verdict=worst.verdict,
            reason=self._reason(worst, estimates),
            machine=machine_name(self.arbiter.gpu),
            backend=plan.backend.name,
            title=plan.title,
            request=plan.request,
            estimates=estimates,
            suggestion=self._suggestion(plan, request) if _outsized(worst) else None,
            advice=plan.advice,
        )

    # --- what it takes ----------------------------------------------------------------------

    def _memory(self, plan: TrainingPlan, past: list[Lora]) -> Iterator[Estimate]:
        usual = plan.base_model.needs.get("training")
        if self.arbiter.gpu:
            ratios = _ratios(past, plan.base_model, machine_name(self.arbiter.gpu), "vram_gb")
            yield _memory("gpu_memory", plan, self.arbiter.vram_gb, usual.vram_gb if usual else 0, ratios)
        ratios = _ratios(past, plan.base_model, machine_name(self.arbiter.gpu), "ram_gb")
        known = usual.ram_gb if usual and self.arbiter.gpu else 0  # the registry's figure is for a machine with a GPU
        yield _memory("memory", plan, self.arbiter.ram_gb, known, ratios)

    def _disk(self, needs: Needs) -> Estimate:
        free = max(0.0, self.storage.free_gb() - self.storage.min_free_gb)
        verdict: Verdict = "fits" if needs.disk_gb <= free else "does_not_fit"
        said = f"Estimated from rank, steps and checkpoints; {self.storage.min_free_gb:g} GB are kept free"
        return Estimate(
            resource="disk", needed=needs.disk_gb, available=free, verdict=verdict, source=said, confidence="medium"
        )

    def _time(self, plan: TrainingPlan, past: list[Lora], price: float) -> Iterator[Estimate]:
        known = duration_of(plan.request.config, machine_name(self.arbiter.gpu), past)
        if known is None:
            yield Estimate(resource="time", source=UNKNOWN_TIME, confidence="unknown")
            if price:
                yield Estimate(resource="cost", source="It follows from the time.", confidence="unknown")
            return
        yield Estimate(resource="time", needed=known.seconds, source=known.source, confidence=known.confidence)
        if price:
            cost, said = price * known.seconds / 3600, f"The time, at {price:g} an hour"
            yield Estimate(resource="cost", needed=cost, source=said, confidence=known.confidence)

    # --- what that means --------------------------------------------------------------------

    def _reason(self, worst: Estimate, estimates: tuple[Estimate, ...]) -> str:
        here = machine_name(self.arbiter.gpu) if self.arbiter.gpu else "this machine"
        if worst.verdict == "fits":
            first = estimates[0]
            return f"Needs about {_gb(first)} of the {_gb(first, available=True)} of {NAMES[first.resource]} of {here}."
        need, have, what = _gb(worst), _gb(worst, available=True), NAMES[worst.resource]
        if worst.verdict == "does_not_fit":
            hint = " Delete pictures, LoRAs or the cache folder." if worst.resource == "disk" else ""
            return f"Needs about {need} of {what}; {here} has {have}.{hint}"
        return f"Needs about {need} of the {have} of {what} of {here}, which may just not be enough. {worst.source}."

    def _suggestion(self, plan: TrainingPlan, request: TrainingRequest) -> Suggestion | None:
        asked = request.model_copy(
            update={"config": request.config.model_copy(update={"image_count": plan.character.training_count})}
        )
        found = nearest_fit(plan.backend, asked, plan.base_model, self.arbiter.device, self._fits)
        if found is None:
            return self._smaller(plan, request)
        size = self.arbiter.vram_gb or self.arbiter.ram_gb
        where = f"fits in {size:.{0 if size >= TEN else 1}f} GB."
        words = in_words(found.changed)
        text = f"{words} {where}" if " px" in words else f"With {words} it {where}"
        return Suggestion(text=text, changes=found.changed, request=changed(request, found.changed))

    def _smaller(self, plan: TrainingPlan, request: TrainingRequest) -> Suggestion | None:
        """Return the largest other base model here that fits with the preset as it is."""
        choice = self.training.choice
        others = [row for row in choice.registry.base_models() if row.id != plan.base_model.id]
        sizes = sorted(others, key=lambda row: row.compatibility.min_vram_gb, reverse=True)
        for row in (row for row in sizes if choice.can_train(row)):
            config = type(request.config)(base_model=row.id, preset=request.config.preset)
            other = request.model_copy(update={"config": config})
            if self._fits(self.training.plan(other).needs):
                return Suggestion(text=f"{row.name} fits.", changes={"base_model": row.id}, request=other)
        return None

    def _fits(self, needs: Needs) -> bool:
        free = self.storage.free_gb() - self.storage.min_free_gb
        return (
            (not self.arbiter.gpu or needs.vram_gb <= self.arbiter.vram_gb)
            and needs.ram_gb <= self.arbiter.ram_gb
            and needs.disk_gb <= free
        )


def _outsized(worst: Estimate) -> bool:
    return worst.verdict == "does_not_fit" and worst.resource != "disk"  # room is made by deleting, not by settings


_ORDER: tuple[Verdict, ...] = ("fits", "tight", "does_not_fit")


def _memory(resource: Resource, plan: TrainingPlan, available: float, usual: float, ratios: list[float]) -> Estimate:
    """Judge an estimate by what earlier runs took and by the registry; it is only ever corrected upwards.

    The queue refuses by the backend's estimate, so a lower measurement does not lower it.
    """
    guess = plan.needs.vram_gb if resource == "gpu_memory" else plan.needs.ram_gb
    needed, said = guess, f"Estimated by {plan.backend.name} from the model's files and these settings"
    confidence: Trust = "low"
    if ratios:
        measured = guess * median(ratios)
        needed, confidence = max(guess, measured), "measured"
        said += f"; earlier runs with this model took {median(ratios):.0%} of the estimate".replace("%", " %")
    elif usual and abs(guess - usual) <= AGREES * usual:
        confidence, said = "medium", f"{said}; the registry's figure for usual settings is {usual:g} GB"
    elif usual:
        said += f"; the registry's figure for usual settings is {usual:g} GB"
    verdict: Verdict = "fits"
    if needed > available:
        verdict = "does_not_fit"
    elif needed > TIGHT * available or (usual > available and not ratios):
        verdict = "tight"
    return Estimate(
        resource=resource, needed=needed, available=available, verdict=verdict, source=said, confidence=confidence
    )


def _ratios(past: list[Lora], base: BaseModelRow, machine: str, field: str) -> list[float]:
    """Return what earlier runs took over what was foretold of them, newest first."""
    found = []
    for lora in past:
        foretold, took = lora.forecast, lora.measured
        if lora.base_model != base.id or foretold is None or took is None or took.machine != machine:
            continue
        expected, peak = getattr(foretold, field), getattr(took, f"peak_{field}")
        if expected and peak:
            found.append(peak / expected)
    return found[:5]


def _gb(estimate: Estimate, *, available: bool = False) -> str:
    size = (estimate.available if available else estimate.needed) or 0
    return f"{size:.{0 if size >= TEN else 1}f} GB"
