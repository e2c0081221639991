"""LoRA training with PEFT on cached latents and text embeddings."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig

from isengard.errors import BackendOutput
from plugins.diffusers.engine import checkpoint
from plugins.diffusers.engine.dataset import Dataset, Prior, load_dataset, load_prior
from plugins.diffusers.engine.generate import sample_picture
from plugins.diffusers.engine.objective import Objective
from plugins.diffusers.engine.pipeline import hasten_training, load
from plugins.diffusers.engine.weights import NAME, load_lora, prove, save_lora
from plugins.diffusers.engine.wishes import Wishes

WARMUP_STEPS = 20
DECAY_FROM = 0.6  # share of the run after which the learning rate falls
LOWEST_RATE = 0.05
MAX_GRADIENT = 1.0


class Trainer:
    """One run. ``step`` counts optimizer steps."""

    def __init__(self, message: dict[str, Any], report: Any, wishes: Wishes) -> None:
        self.message = message
        self.config = message["config"]
        self.report = report
        self.wishes = wishes
        self.work = Path(message["work_dir"])
        self.rng = random.Random(self.config["seed"])
        self.step = 0
        self.curve: checkpoint.Curve = []  # what each step was told with, earlier attempts' included
        self.started = time.monotonic()

    def tell(self, text: str) -> None:
        """Report a phase in words."""
        self.report({"kind": "progress", "step": self.step, "total_steps": self.config["steps"], "message": text})

    def prepare(self) -> None:
        """Load the model, the data and, when there is one, the checkpoint."""
        self.tell("Loading the model")
        torch.manual_seed(self.config["seed"])
        self.pipe = load(self.message["folder"], self.message["device"], training=True)
        for part in (self.pipe.unet, self.pipe.vae, self.pipe.text_encoder):
            part.requires_grad_(requires_grad=False)
        hasten_training(self.pipe, self.config["resolution"])
        self.wishes.heed()
        self.dataset: Dataset = load_dataset(self.pipe, self.message, self.wishes, self.tell)
        self.prior: Prior | None = load_prior(self.pipe, self.message["folder"])
        self.objective = Objective(self.pipe)
        rank, alpha = self.config["lora_rank"], self.config["lora_alpha"]
        targets = self.message["target_modules"]
        self.pipe.unet.add_adapter(
            LoraConfig(r=rank, lora_alpha=alpha, init_lora_weights="gaussian", target_modules=targets)
        )
        self.trained = [p for p in self.pipe.unet.parameters() if p.requires_grad]
        rate = self.config["learning_rate"]
        self.optimizer = torch.optim.AdamW(self.trained, lr=rate, betas=(0.9, 0.99), weight_decay=1e-3, fused=True)
        torch.manual_seed(self.config["seed"])
        if self.message["start_from"]:
            load_lora(Path(self.message["start_from"]), self.pipe.unet)
        if self.message["resume_from"]:
            resume = Path(self.message["resume_from"])
            self.step, self.curve = checkpoint.restore(resume, self.pipe.unet, self.optimizer, self.rng)
            for row in self.curve:
                if row[0] > self.message["told_step"]:  # a kill came between the step and the word of it
                    self._report_step(*row)
            self.tell(f"Going on from step {self.step}")

    def run(self) -> None:
        """Train to the end, or until asked to keep what there is."""
        self.pipe.unet.train()
        first, self.started = self.step, time.monotonic()
        while self.step < self.config["steps"]:
            self.wishes.heed()
            loss = self._step()
            self.curve.append((self.step, loss, self.optimizer.param_groups[0]["lr"]))
            self._report_step(*self.curve[-1], (self.step - first) / max(1e-6, time.monotonic() - self.started))
            if self.wishes.keep.is_set():
                break
            self._now_and_then()

    def _step(self) -> float:
        rate = self.config["learning_rate"] * schedule(self.step, self.config["steps"])
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        rounds = self.config["gradient_accumulation"]
        total = 0.0
        for _ in range(rounds):
            latents, texts = self._batch()
            loss = self.objective.loss(self.pipe, latents, texts) / rounds
            loss.backward()
            total += loss.item()
        if total != total or total == float("inf"):  # noqa: PLR0124 - NaN is what differs from itself
            raise BackendOutput(f"The training diverged at step {self.step + 1}.", "Lower the learning rate and retry.")
        torch.nn.utils.clip_grad_norm_(self.trained, MAX_GRADIENT)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        return total

    def _batch(self) -> tuple[torch.Tensor, list[dict[str, torch.Tensor]]]:
        size = self.config["batch_size"]
        of_prior = round(size * self.message["prior_share"]) if self.prior else 0
        picks = [self.dataset.pick(self.rng) for _ in range(size - of_prior)]
        if self.prior:
            picks += [self.prior.pick(self.rng) for _ in range(of_prior)]
        device = self.pipe.device
        return torch.stack([latent.to(device) for latent, _ in picks]), [text for _, text in picks]

    def _report_step(self, step: int, loss: float, rate: float, speed: float = 0.0) -> None:
        """Report a step and, with its speed in steps per second, the time left."""
        total = self.config["steps"]
        told = {"kind": "metric", "step": step, "total_steps": total, "loss": loss, "learning_rate": rate}
        if speed:
            told |= {"steps_per_second": speed, "eta_seconds": (total - step) / speed}
        self.report(told)

    def _now_and_then(self) -> None:
        last = self.step == self.config["steps"]
        if (self.step % self.config["save_every"] == 0 or _heard(self.wishes.save)) and not last:
            path = checkpoint.save(self.work, self.curve, self.pipe.unet, self.optimizer, self.rng)
            self.report({"kind": "checkpoint", "step": self.step, "path": str(path)})
        if self.step % self.config["sample_every"] == 0 or _heard(self.wishes.sample) or last:
            self._sample()

    def _sample(self) -> None:
        prompts = self.config["sample_prompts"] or [f"a photo of {self.message['trigger_word']} in a park, headshot"]
        self.pipe.unet.eval()
        state = torch.get_rng_state()
        for index, prompt in enumerate(prompts):
            image = sample_picture(self.pipe, prompt, self.message["sample"], self.config)
            path = self.work / f"sample-{self.step:06d}-{index}.webp"
            image.save(path, "WEBP", quality=90)
            told = {"kind": "preview", "step": self.step, "path": str(path), "prompt": prompt, "index": index}
            self.report(told)
        torch.set_rng_state(state)
        self.pipe.unet.train()

    def finish(self) -> None:
        """Write and prove the weights."""
        self.tell("Checking the trained weights")
        folder = self.work / "weights"
        folder.mkdir(exist_ok=True)
        path = folder / NAME
        save_lora(self.pipe.unet, path, self._metadata())
        prove(path, self.pipe.unet, self.config["lora_rank"])
        self.report({"kind": "weights", "step": self.step, "path": str(path)})

    def _metadata(self) -> dict[str, str]:
        """Ours, and the names of the Kohya and ModelSpec conventions that other tools read."""
        config, message = self.config, self.message
        return {
            "trigger_word": message["trigger_word"],
            "base_model": message["base_model"],
            "base_model_sha256": message["base_model_sha256"],
            "rank": str(config["lora_rank"]),
            "alpha": str(config["lora_alpha"]),
            "steps": str(self.step),
            "seed": str(config["seed"]),
            "dataset_hash": message["dataset_hash"],
            "correlation_id": message["correlation_id"],
            "ss_network_dim": str(config["lora_rank"]),
            "ss_network_alpha": str(config["lora_alpha"]),
            "ss_steps": str(self.step),
            "modelspec.trigger_phrase": message["trigger_word"],
            "modelspec.title": f"{message['trigger_word']} on {message['base_model']}",
        }


def _heard(wish: threading.Event) -> bool:
    """Tell whether it was wished for, and take the wish as granted."""
    wished = wish.is_set()
    wish.clear()
    return wished


def schedule(step: int, total: int) -> float:
    """Share of the learning rate: a short rise, a plateau, a straight fall."""
    rise = min(1.0, (step + 1) / min(WARMUP_STEPS, max(1, total // 4)))
    left = (total - step) / max(1.0, (1 - DECAY_FROM) * total)
    return rise * max(LOWEST_RATE, min(1.0, left))


def train(message: dict[str, Any], report: Any, wishes: Wishes) -> None:
    """Run one training from message to weights."""
    trainer = Trainer(message, report, wishes)
    trainer.prepare()
    trainer.run()
    trainer.finish()
