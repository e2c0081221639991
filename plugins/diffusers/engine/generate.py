"""Generates pictures with a pipeline that is kept warm."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import diffusers
import torch
from PIL import Image

from isengard.errors import BackendOutput, InvalidInput
from plugins.diffusers.engine.pipeline import decode_latents, load
from plugins.diffusers.engine.wishes import Wishes

BATCH_PIXELS = 8 * 128 * 128  # pictures of together this many pixels are made at once on a CPU
BATCH_PIXELS_CUDA = 4 * 1024 * 1024
PREVIEW_SECONDS = 0.5
FLAT = 1e-3  # standard deviation of a picture of one colour, pixel values 0 to 1

_SCHEDULERS = {
    "unipc": ("UniPCMultistepScheduler", {}),
    "dpmpp_2m": ("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++"}),
    "euler": ("EulerDiscreteScheduler", {}),
    "heun": ("HeunDiscreteScheduler", {}),
}
_FLOW_SCHEDULERS = {
    "unipc": ("UniPCMultistepScheduler", {}),
    "dpmpp_2m": ("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++"}),
    "euler": ("FlowMatchEulerDiscreteScheduler", {}),
    "heun": ("FlowMatchHeunDiscreteScheduler", {}),
}


class Warm:
    """The pipeline of the last request, and the LoRAs that are loaded into it."""

    def __init__(self) -> None:
        self._key: tuple[str, str] | None = None
        self._pipe: Any = None
        self._config: Any = None
        self._loaded: set[str] = set()

    def get(self, folder: str, device: str) -> Any:
        """Return the pipeline of a folder, loaded when it is another than last time."""
        key = (folder, device)
        if self._key != key:
            self.forget()
            self._pipe = load(folder, device, training=False)
            self._config = self._pipe.scheduler.config
            self._key = key
        return self._pipe

    def forget(self) -> None:
        """Drop the pipeline; its memory is needed for something else."""
        self._key, self._pipe, self._config = None, None, None
        self._loaded = set()

    def use(self, loras: list[dict[str, Any]]) -> None:
        """Put exactly these LoRAs in effect; one of strength 0 is left out, so that the base stays untouched."""
        wanted = {f"lora_{lora['sha256'][:16]}": lora for lora in loras if lora["strength"] != 0}
        for name in self._loaded - wanted.keys():
            self._pipe.delete_adapters(name)
        for name in wanted.keys() - self._loaded:
            path = Path(wanted[name]["path"])
            self._pipe.load_lora_weights(str(path.parent), weight_name=path.name, adapter_name=name)
        self._loaded = set(wanted)
        if wanted:
            self._pipe.set_adapters(list(wanted), [lora["strength"] for lora in wanted.values()])

    def sample_with(self, sampler: str) -> None:
        """Choose the scheduler by its usual name."""
        flow = self._config.get("prediction_type") == "flow_prediction"
        table = _FLOW_SCHEDULERS if flow else _SCHEDULERS
        if sampler not in table:
            raise InvalidInput(f"There is no sampler '{sampler}'.", f"Use one of: {', '.join(table)}.")
        name, options = table[sampler]
        made = getattr(diffusers, name)
        plain = name.startswith("FlowMatch")
        self._pipe.scheduler = _plain(made()) if plain else made.from_config(self._config, **options)


def _plain(scheduler: Any) -> Any:
    """Give a flow-matching scheduler what UNet pipelines ask of one: its noise and inputs are not scaled."""
    scheduler.init_noise_sigma = 1.0
    scheduler.scale_model_input = lambda sample, _time=None: sample
    return scheduler


WARM = Warm()  # one child serves one app, one run at a time


def generate(message: dict[str, Any], report: Any, wishes: Wishes) -> None:
    """Make the pictures, in batches of those that differ in nothing but words and seed."""
    report({"kind": "progress", "message": "Loading the model"})
    pipe = WARM.get(message["folder"], message["device"])
    wishes.heed()
    drawn = Drawn(len(message["shots"]), Path(message["work_dir"]), report)
    for batch in _batches(message["shots"], message["device"]):
        WARM.use(batch[0]["loras"])
        WARM.sample_with(batch[0]["request"]["sampler"])
        _batch(pipe, batch, drawn, wishes)


def _batches(shots: list[dict[str, Any]], device: str) -> Iterator[list[dict[str, Any]]]:
    limit = BATCH_PIXELS_CUDA if device == "cuda" else BATCH_PIXELS
    for _, alike in itertools.groupby(shots, _settings):
        group = list(alike)
        size = max(1, limit // (group[0]["request"]["width"] * group[0]["request"]["height"]))
        yield from (group[first : first + size] for first in range(0, len(group), size))


def _settings(shot: dict[str, Any]) -> Any:
    """Return what all pictures of a batch have in common."""
    request = {name: value for name, value in shot["request"].items() if name not in {"prompt", "seed"}}
    return request, shot["loras"], shot["guided_share"]


@dataclass
class Drawn:
    """How far the pictures of a run have come."""

    total: int
    work: Path
    report: Any
    before: int = 0  # pictures of earlier batches
    shown: float = field(default_factory=time.monotonic)

    def tell(self, step: int, steps: int, size: int) -> None:
        """Report a step of a batch of ``size`` pictures."""
        which = f"{self.before + 1} to {self.before + size}" if size > 1 else f"{self.before + 1}"
        words = f"Picture {which} of {self.total}, step {step}/{steps}"
        done = steps * self.before + step * size
        self.report({"kind": "progress", "step": done, "total_steps": steps * self.total, "message": words})

    def preview_is_due(self) -> bool:
        """Tell, a few times a second, that a preview may be shown."""
        due = time.monotonic() - self.shown > PREVIEW_SECONDS
        if due:
            self.shown = time.monotonic()
        return due


TEXTS = ("prompt_embeds", "add_text_embeds", "add_time_ids")  # what a pipeline holds twice while it guides
AfterStep = Callable[[Any, int, Any, dict[str, Any]], dict[str, Any]]


def guided(pipe: Any, share: float, then: AfterStep | None = None) -> dict[str, Any]:
    """Return a pipeline's arguments for guidance in the first ``share`` of the steps only, 0 to 1.

    Late guidance spoils details. Kynkäänniemi et al. 2024, arXiv 2404.07724.
    """
    known = pipe._callback_tensor_inputs  # noqa: SLF001 - what it hands to a callback
    texts = [name for name in TEXTS if name in known] if share < 1 else []

    def after_step(own: Any, step: int, at: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        if texts and own.do_classifier_free_guidance and step + 1 >= share * len(own.scheduler.timesteps):
            own._guidance_scale = 1.0  # noqa: SLF001 - the library's own documented way
            tensors |= {name: tensors[name].chunk(2)[-1] for name in texts}
        return then(own, step, at, tensors) if then else tensors

    return {"callback_on_step_end": after_step, "callback_on_step_end_tensor_inputs": ["latents", *texts]}


def _batch(pipe: Any, batch: list[dict[str, Any]], drawn: Drawn, wishes: Wishes) -> None:
    requests = [shot["request"] for shot in batch]
    first = requests[0]

    def after_step(_pipe: Any, step: int, _time: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        wishes.heed()
        steps = len(pipe.scheduler.timesteps)  # Heun looks twice a step
        drawn.tell(step + 1, steps, len(batch))
        if step + 1 < steps and drawn.preview_is_due():
            _preview(pipe, tensors["latents"][:1], batch[0]["index"], step, drawn)
        return tensors

    pixels = pipe(
        prompt=[request["prompt"] for request in requests],
        negative_prompt=[request["negative_prompt"] for request in requests],
        num_inference_steps=first["steps"],
        guidance_scale=first["guidance_scale"],
        width=first["width"],
        height=first["height"],
        generator=[torch.Generator("cpu").manual_seed(request["seed"]) for request in requests],
        output_type="pt",
        **guided(pipe, batch[0]["guided_share"], after_step),
    ).images
    for shot, picture in zip(batch, pixels, strict=True):
        path = drawn.work / f"picture-{shot['index']:03d}.png"
        _keep(picture, path, shot["index"], shot["request"]["seed"], drawn.report)
    drawn.before += len(batch)


def _keep(picture: torch.Tensor, path: Path, index: int, seed: int, report: Any) -> None:
    flat = picture.float()
    if not torch.isfinite(flat).all() or flat.std() < FLAT:
        raise BackendOutput(
            "The model made an empty picture.", "Lower the LoRA strength or the guidance, or try another sampler."
        )
    image = _image(flat.permute(1, 2, 0).cpu())
    image.save(path, "PNG")
    told = {"kind": "picture", "index": index, "path": str(path), "seed": seed}
    report({**told, "width": image.width, "height": image.height})


def _preview(pipe: Any, latents: torch.Tensor, index: int, step: int, drawn: Drawn) -> None:
    path = drawn.work / f"preview-{index:03d}-{step:03d}.webp"
    _image(decode_latents(pipe, latents)[0]).save(path, "WEBP", quality=75)
    drawn.report({"kind": "preview", "step": step + 1, "path": str(path), "index": index})


def _image(pixels: torch.Tensor) -> Image.Image:
    return Image.fromarray((pixels * 255).round().clamp(0, 255).to(torch.uint8).numpy())


@torch.no_grad()
def sample_picture(pipe: Any, prompt: str, sample: dict[str, Any], config: dict[str, Any]) -> Image.Image:
    """Make a training sample: always the same seed, so that samples of different steps can be compared."""
    edge = config["resolution"]
    pixels = pipe(
        prompt=prompt,
        num_inference_steps=sample["steps"],
        guidance_scale=sample["guidance_scale_with_lora"],
        width=edge,
        height=edge,
        generator=torch.Generator("cpu").manual_seed(config["seed"]),
        output_type="pt",
        **guided(pipe, sample.get("guided_share", 1.0)),
    ).images
    return _image(pixels[0].permute(1, 2, 0).float().cpu())
