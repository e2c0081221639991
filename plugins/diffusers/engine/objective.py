"""What the UNet is trained to predict, by the scheduler's own prediction type."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import DDPMScheduler
from torch.nn import functional


class Objective:
    """Noises latents and scores predictions.

    Flow matching: Lipman et al. 2022, arXiv 2210.02747, with logit-normal times (Esser et al. 2024, arXiv
    2403.03206). Epsilon and v: Ho et al. 2020; Salimans and Ho 2022.
    """

    def __init__(self, pipe: Any) -> None:
        self._kind = pipe.scheduler.config.get("prediction_type", "epsilon")
        ddpm: Any = DDPMScheduler
        self._ddpm = None if self._kind == "flow_prediction" else ddpm.from_config(pipe.scheduler.config)

    def noised(self, latents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return noisy latents, the times given to the UNet, and the target; shapes as ``latents`` and [n]."""
        noise = torch.randn_like(latents)
        count = latents.shape[0]
        if self._ddpm is None:
            sigma = torch.sigmoid(torch.randn(count, device=latents.device))
            wide = sigma.view(-1, 1, 1, 1)
            return (1 - wide) * latents + wide * noise, sigma * 1000, noise - latents
        times = torch.randint(0, self._ddpm.config["num_train_timesteps"], (count,), device=latents.device)
        noisy = self._ddpm.add_noise(latents, noise, times)
        target = noise if self._kind == "epsilon" else self._ddpm.get_velocity(latents, noise, times)
        return noisy, times, target

    def loss(self, pipe: Any, latents: torch.Tensor, texts: list[dict[str, torch.Tensor]]) -> torch.Tensor:
        """Return the mean squared error of one batch."""
        noisy, times, target = self.noised(latents)
        hidden = torch.stack([text["hidden"] for text in texts])
        extra = {}
        if "pooled" in texts[0]:
            height, width = latents.shape[2] * 8, latents.shape[3] * 8
            sizes = torch.tensor([[height, width, 0, 0, height, width]], device=latents.device, dtype=hidden.dtype)
            pooled = torch.stack([text["pooled"] for text in texts])
            extra["added_cond_kwargs"] = {"text_embeds": pooled, "time_ids": sizes.expand(len(texts), -1)}
        predicted = pipe.unet(noisy, times, hidden, **extra).sample
        return functional.mse_loss(predicted.float(), target.float())
