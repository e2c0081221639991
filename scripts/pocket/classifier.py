"""Tells what a picture shows: a small network on latents, trained on drawings that the model has never seen."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional

from scripts.pocket.budget import device, load_state, save_atomically
from scripts.pocket.dataset import Drawing, strangers
from scripts.pocket.strokes import SIZE
from scripts.pocket.vae import CHANNELS, encode, load_vae
from scripts.pocket.world import VOCABULARY, attributes

ASKED = ("setting", "light", "hair", "skin", "glasses", "gender", "style", "pose", "expression")
STRANGERS_SEED = 900_000
CHECKED_SHARE = 0.15  # of the drawings: never trained on, they tell the classifier's own accuracy
BATCH, RATE = 64, 2e-3


class Network(torch.nn.Module):
    """A trunk of convolutions with one head for each attribute."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[torch.nn.Module] = []
        for into, out, stride in ((CHANNELS, 64, 1), (64, 64, 1), (64, 128, 2), (128, 128, 1), (128, 160, 2)):
            layers += [torch.nn.Conv2d(into, out, 3, stride, 1), torch.nn.BatchNorm2d(out), torch.nn.GELU()]
        self.trunk = torch.nn.Sequential(*layers, torch.nn.Flatten(), torch.nn.Linear(160 * 16, 256), torch.nn.GELU())
        self.heads = torch.nn.ModuleList(torch.nn.Linear(256, len(VOCABULARY[name])) for name in ASKED)

    def forward(self, latents: torch.Tensor) -> list[torch.Tensor]:
        """Take [n, 8, 16, 16] of unit spread; return the values' scores for each attribute."""
        seen = self.trunk(latents)
        return [head(seen) for head in self.heads]


class Classifier:
    """Ready to look at pictures; ``accuracy`` is its own, on drawings it was not trained on."""

    def __init__(self, model: Path, work: Path, drawings: int, steps: int) -> None:
        self._vae = load_vae(model)
        self._network = Network().to(device())
        digest = hashlib.sha256((model / "vae" / "diffusion_pytorch_model.safetensors").read_bytes()).hexdigest()
        path = work / f"classifier-{digest[:12]}-{drawings}-{steps}.pt"
        state = load_state(path)
        if state is None:
            state = self._learn(strangers(STRANGERS_SEED, drawings), steps)
            save_atomically(state, path)
        self._network.load_state_dict(state["network"])
        self._network.eval()
        self._spread: float = state["spread"]
        self.accuracy: dict[str, float] = state["accuracy"]

    def seen(self, pictures: list[Path]) -> list[dict[str, str]]:
        """Return what each picture shows, by attribute."""
        return self._values(encode(self._vae, np.stack([_pixels(path) for path in pictures])))

    def _learn(self, drawings: list[Drawing], steps: int) -> dict[str, Any]:
        from scripts.pocket.drawing import draw

        clean = encode(self._vae, np.stack([draw(one.identity, one.shot) for one in drawings]))
        again = encode(self._vae, self._decoded(clean))  # generated pictures come out of the decoder, too
        wanted = torch.tensor([_indices(one) for one in drawings])
        self._spread = float(clean.float().std())
        known = round(len(drawings) * (1 - CHECKED_SHARE))
        self._train(torch.stack([clean[:known], again[:known]]).float() / self._spread, wanted[:known], steps)
        said = self._values(again[known:])
        right = {
            name: float(np.mean([s[name] == attributes(d.identity, d.shot)[name] for s, d in _pairs(said, drawings)]))
            for name in ASKED
        }
        return {"network": self._network.state_dict(), "spread": self._spread, "accuracy": right}

    def _train(self, latents: torch.Tensor, wanted: torch.Tensor, steps: int) -> None:
        optimizer = torch.optim.AdamW(self._network.parameters(), weight_decay=0.02)
        rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps, pct_start=0.1)
        self._network.train()
        for _ in range(steps):
            index = torch.randint(latents.shape[1], (BATCH,))
            seen = latents[torch.randint(2, (BATCH,)), index].to(device())
            noise = torch.rand(BATCH, 1, 1, 1, device=device()) * 0.3
            scores = self._network(seen + noise * torch.randn_like(seen))
            losses = [functional.cross_entropy(s, wanted[index, n].to(device())) for n, s in enumerate(scores)]
            loss = torch.stack(losses).sum()
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            rates.step()
        self._network.eval()

    @torch.no_grad()
    def _values(self, latents: torch.Tensor) -> list[dict[str, str]]:
        scores = self._network((latents.float() / self._spread).to(device()))
        best = [part.argmax(1).tolist() for part in scores]
        return [{n: VOCABULARY[n][best[k][i]] for k, n in enumerate(ASKED)} for i in range(len(latents))]

    @torch.no_grad()
    def _decoded(self, latents: torch.Tensor) -> NDArray[np.uint8]:
        parts = []
        for start in range(0, len(latents), 64):
            made = self._vae.decode(latents[start : start + 64].float().to(device())).sample
            scaled = ((made + 1) * 127.5).round().clamp(0, 255).permute(0, 2, 3, 1)
            parts.append(scaled.to(torch.uint8).cpu().numpy())
        return np.concatenate(parts)


def _pairs(said: list[dict[str, str]], drawings: list[Drawing]) -> list[tuple[dict[str, str], Drawing]]:
    """Pair the last drawings with what was said of them."""
    return list(zip(said, drawings[-len(said) :], strict=True))


def _indices(drawing: Drawing) -> list[int]:
    values = attributes(drawing.identity, drawing.shot)
    return [VOCABULARY[name].index(values[name]) for name in ASKED]


def _pixels(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").resize((SIZE, SIZE), Image.Resampling.LANCZOS))
