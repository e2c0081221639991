"""Trains the autoencoder; ``decoder.py`` trains its decoder on when the denoiser is there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderTiny
from diffusers.models.autoencoders.vae import AutoencoderTinyBlock
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional

from scripts.pocket.budget import Budget, device, load_state, save_atomically, set_rate

BATCH, CROP = 16, 64
UNSCALED = 1.0  # the scaling factor while none was measured
CHANNELS, WIDTH = 8, 32  # of the latents; of the layers
ENCODER_BLOCKS, DECODER_BLOCKS = (0, 1, 2, 2), (3, 3, 4, 0)  # at 128 to 16, and at 16 to 128 pixels
RATE = 2e-3
LATENT_NOISE = 0.06  # teaches the decoder to bear small errors
Pixels = NDArray[np.uint8]


class Training:
    """An autoencoder, the optimizer of its trained part and its clock, as far as earlier sittings came."""

    def __init__(self, path: Path, model: Any, trained: torch.nn.Module, rate: float, seconds: float) -> None:
        self._path, self._rate = path, rate
        self.model = model.to(device(), memory_format=torch.channels_last)
        self._weights = list(trained.parameters())
        self._optimizer = torch.optim.Adam(self._weights, betas=(0.9, 0.99))
        self._step = 0
        state = load_state(path)
        if state:
            self.model.load_state_dict(state["model"])
            self._optimizer.load_state_dict(state["optimizer"])
            self._step = state["step"]
        self._rng = np.random.default_rng(self._step)
        self.budget = Budget(path.stem, seconds, state["seconds"] if state else 0.0)

    def loss(self) -> torch.Tensor:
        """Return what a batch shows to be wrong yet."""
        raise NotImplementedError

    def train(self) -> None:
        """Train until the budget is used up; write the autoencoder to the work folder."""
        while not self.budget.over:
            self.step_on()
            if self.budget.time_to_save():
                self.save()
        self.save()
        self.model.cpu().save_pretrained(str(self._path.parent / "vae"))

    def step_on(self) -> None:
        """Take one step of the optimizer."""
        set_rate(self._optimizer, self._rate * self.budget.rate(self._step))
        loss = self.loss()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._weights, 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad()
        self._step += 1
        self.budget.tell(self._step, loss.item())

    def save(self) -> None:
        """Write what it takes to go on."""
        state = {"model": self.model.state_dict(), "optimizer": self._optimizer.state_dict()}
        save_atomically({**state, "step": self._step, "seconds": self.budget.used}, self._path)


class VaeTraining(Training):
    """Trains both halves on drawings."""

    def __init__(self, folder: Path, pictures: Pixels, seconds: float) -> None:
        model = new_vae()
        super().__init__(folder / "vae.pt", model, model, RATE, seconds)
        self._pictures = pictures

    def loss(self) -> torch.Tensor:
        """Also keep latents centred, with unit spread."""
        pixels = _batch(self._pictures, self._rng).to(device())
        latents = self.model.encode(pixels).latents
        made = self.model.decode(latents + torch.randn_like(latents) * LATENT_NOISE).sample
        centred = latents.mean((0, 2, 3)).pow(2).mean() + (latents.std((0, 2, 3)) - 1).pow(2).mean()
        return distance(made - pixels) + 0.05 * centred


def load_vae(folder: Path) -> Any:
    """Return the autoencoder of a work folder."""
    return AutoencoderTiny.from_pretrained(str(folder / "vae"))


def new_vae() -> Any:
    """Return an untrained autoencoder: 8 x smaller edges, 8 channels.

    The library's default start gives grey blur. Kaiming's, with residual blocks that begin small, does not.
    """
    torch.manual_seed(0)
    layers = {"encoder_block_out_channels": (WIDTH,) * 4, "decoder_block_out_channels": (WIDTH,) * 4}
    blocks = {"num_encoder_blocks": ENCODER_BLOCKS, "num_decoder_blocks": DECODER_BLOCKS}
    model = AutoencoderTiny(latent_channels=CHANNELS, scaling_factor=UNSCALED, **layers, **blocks)
    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                torch.nn.init.zeros_(module.bias)
    for module in model.modules():
        if isinstance(module, AutoencoderTinyBlock):
            module.conv[-1].weight.data.mul_(0.1)
    _last_convolution(model.encoder).weight.data.mul_(0.7)
    last = _last_convolution(model.decoder)
    last.weight.data.mul_(0.3)
    last.bias.data.fill_(0.5)
    return model


@torch.no_grad()
def deepened(trained: Any) -> Any:
    """Return the autoencoder with as many decoder blocks as new ones have; those added change nothing yet.

    They follow blocks, whose output has no negative values, and so pass it on as it is while they add nothing.
    """
    deeper = new_vae()
    deeper.encoder.load_state_dict(trained.encoder.state_dict())
    theirs = iter(trained.decoder.layers)
    layer = next(theirs)
    for own in deeper.decoder.layers:
        if isinstance(own, AutoencoderTinyBlock) and not isinstance(layer, AutoencoderTinyBlock):
            own.conv[-1].weight.zero_()
            own.conv[-1].bias.zero_()
            continue
        own.load_state_dict(layer.state_dict())
        layer = next(theirs, None)
    deeper.register_to_config(scaling_factor=trained.config.scaling_factor)
    return deeper


@torch.no_grad()
def encode(model: Any, pictures: Pixels) -> torch.Tensor:
    """Return unscaled latents [n, 8, 16, 16] in half precision, on the CPU."""
    model = model.to(device()).eval()
    parts = []
    for start in range(0, len(pictures), 64):
        pixels = torch.from_numpy(pictures[start : start + 64].astype(np.float32)).permute(0, 3, 1, 2) / 127.5 - 1
        parts.append(model.encode(pixels.to(device(), memory_format=torch.channels_last)).latents.half().cpu())
    return torch.cat(parts).contiguous()


def distance(apart: torch.Tensor) -> torch.Tensor:
    """Return how far pictures are from what they should be, by the difference of their pixels, of lines, of patches."""
    lines = apart.diff(dim=2).abs().mean() + apart.diff(dim=3).abs().mean()
    return apart.abs().mean() + apart.pow(2).mean() + 0.6 * lines + 0.25 * functional.avg_pool2d(apart, 4).abs().mean()


def _last_convolution(part: torch.nn.Module) -> Any:
    return [module for module in part.modules() if isinstance(module, torch.nn.Conv2d)][-1]


def _batch(pictures: Pixels, rng: np.random.Generator) -> torch.Tensor:
    """Return crops [16, 3, 64, 64] in -1 to 1, mostly around the face; one of them is a made-up texture."""
    crops = [texture(rng)]
    while len(crops) < BATCH:
        picture = pictures[rng.integers(len(pictures))]
        top = rng.integers(0, 65) if rng.random() < 0.4 else rng.integers(10, 50)
        left = rng.integers(0, 65) if rng.random() < 0.4 else rng.integers(14, 50)
        crop = picture[top : top + CROP, left : left + CROP].astype(np.float32)
        crops.append(crop[:, ::-1] if rng.random() < 0.5 else crop)
    stacked = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2) / 127.5 - 1
    return stacked.contiguous(memory_format=torch.channels_last)


def texture(rng: np.random.Generator) -> NDArray[np.float32]:
    """Return smooth coloured noise: what is not drawn, such as a photograph, must not come out as a mess."""
    total = np.zeros((CROP, CROP, 3), np.float32)
    for grain in (4, 8, 16, 32, 64):
        noise = rng.normal(0, 1, (grain, grain, 3)).astype(np.float32) * rng.uniform(0.2, 1)
        planes = [Image.fromarray(noise[..., n]).resize((CROP, CROP), Image.Resampling.BICUBIC) for n in range(3)]
        total += np.stack([np.asarray(plane) for plane in planes], axis=-1) * (8 / grain) ** 0.5
    tinted = 128 + total * 50 * rng.uniform(0.4, 1.4) + rng.uniform(-60, 60, (1, 1, 3))
    return np.clip(tinted, 0, 255).astype(np.float32)
