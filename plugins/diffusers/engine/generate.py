"""Generates pictures with a pipeline that is kept warm."""

from __future__ import annotations

import time
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
PREVIEW_SECONDS = 0.3
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
    """Make the pictures of a request, batch by batch."""
    request = message["request"]
    report({"kind": "progress", "message": "Loading the model"})
    pipe = WARM.get(message["folder"], message["device"])
    WARM.use(message["loras"])
    WARM.sample_with(request["sampler"])
    wishes.heed()
    limit = BATCH_PIXELS_CUDA if message["device"] == "cuda" else BATCH_PIXELS
    size = max(1, limit // (request["width"] * request["height"]))
    for first in range(0, request["count"], size):
        batch = range(first, min(request["count"], first + size))
        _batch(pipe, message, batch, report, wishes)


def _batch(pipe: Any, message: dict[str, Any], batch: range, report: Any, wishes: Wishes) -> None:
    request, work = message["request"], Path(message["work_dir"])
    shown = time.monotonic()

    def after_step(_pipe: Any, step: int, _time: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        nonlocal shown
        wishes.heed()
        steps = len(pipe.scheduler.timesteps)  # Heun looks twice a step
        done = steps * batch.start + (step + 1) * len(batch)
        which = f"{batch.start + 1} to {batch.stop}" if len(batch) > 1 else f"{batch.stop}"
        words = f"Picture {which} of {request['count']}, step {step + 1}/{steps}"
        report({"kind": "progress", "step": done, "total_steps": steps * request["count"], "message": words})
        if time.monotonic() - shown > PREVIEW_SECONDS and step + 1 < steps:
            shown = time.monotonic()
            _preview(pipe, tensors["latents"][:1], work / f"preview-{batch.start:03d}-{step:03d}.webp", step, report)
        return tensors

    seeds = [(request["seed"] + n) % 2**32 for n in batch]
    generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
    pixels = pipe(
        prompt=[request["prompt"]] * len(batch),
        negative_prompt=[request["negative_prompt"]] * len(batch),
        num_inference_steps=request["steps"],
        guidance_scale=request["guidance_scale"],
        width=request["width"],
        height=request["height"],
        generator=generators,
        output_type="pt",
        callback_on_step_end=after_step,
    ).images
    for index, seed, picture in zip(batch, seeds, pixels, strict=True):
        _keep(picture, work / f"picture-{index:03d}.png", index, seed, report)


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


def _preview(pipe: Any, latents: torch.Tensor, path: Path, step: int, report: Any) -> None:
    _image(decode_latents(pipe, latents)[0]).save(path, "WEBP", quality=75)
    report({"kind": "preview", "step": step + 1, "path": str(path)})


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
    ).images
    return _image(pixels[0].permute(1, 2, 0).float().cpu())
