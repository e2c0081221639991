"""What is printed: captured output of the real one, with this job's names, numbers and paths in it."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

CAPTURED = Path(__file__).resolve().parents[2] / "captured"
OPENINGS = {"sdxl": "sdxl_combined", "flux": "flux_combined", "zimage": "zimage_combined"}  # else Stable Diffusion 1.5
ROOT = "/srv/isengard/"
STEP = "{name}:{share:>4.0f}%|{bar}| {done}/{total} [{elapsed}<{eta}, {rate}{after}]"


def say(text: str, end: str = "\n") -> None:
    """Print at once, as it is."""
    sys.stdout.buffer.write((text + end).encode())
    sys.stdout.buffer.flush()


def repeat(name: str) -> None:
    """Repeat a captured output, byte for byte."""
    sys.stdout.buffer.write((CAPTURED / f"{name}.txt").read_bytes())
    sys.stdout.buffer.flush()


class Opening:
    """What is printed from the start to the first step."""

    def __init__(self, name: str, process: dict[str, Any], images: int) -> None:
        arch = process["model"]["arch"]
        text = (CAPTURED / f"{OPENINGS.get(arch, 'sigterm')}.txt").read_bytes().decode()
        old = re.search(r"# Running job: (\S+)", text)
        assert old is not None
        text = text[: text.index(f"\r{old[1]}:   0%")]
        text = re.sub(rf"{ROOT}[\w/.-]*dataset[\w/.-]*", process["datasets"][0]["folder_path"], text)
        text = text.replace(f"Running job: {old[1]}\n", f"Running job: {name}\n")
        text = re.sub(r"Found \d+ images", f"Found {images} images", text)
        text = re.sub(r"(\d+x\d+): \d+ files", rf"\1: {images} files", text)
        self.before_model, self.model, rest = _split(text, "Running  1 process\n", "create LoRA network.")
        self.network, self.dataset, _ = _split(rest, "enable LoRA for U-Net\n", "Skipping first sample")
        self.dataset = self.dataset.partition("Generating baseline")[0]


def _split(text: str, after: str, before: str) -> tuple[str, str, str]:
    """Cut behind one mark and in front of another."""
    first = text.index(after) + len(after)
    second = text.find(before, first)
    second = len(text) if second < 0 else second
    return text[:first], text[first:second], text[second:]


def resuming(path: Path, step: int, optimizer: Path) -> str:
    """Return what is printed when it goes on from a checkpoint."""
    return (
        f"#### IMPORTANT RESUMING FROM {path} ####\nLoading from {path}\nMissing keys: []\n"
        f"Found step {step} in metadata, starting from there\n"
        f"Loading optimizer state from {optimizer}\nUpdating optimizer LR from params\n"
    )


def step_bar(name: str, done: int, total: int, seconds: float, after: str) -> str:
    """Return the training's bar."""
    filled = 10 * done // total
    rate = "?it/s" if not seconds else (f"{seconds:5.2f}s/it" if seconds > 1 else f"{1 / seconds:5.2f}it/s")
    return "\r" + STEP.format(
        name=name,
        share=100 * done // total,
        bar="█" * filled + " " * (10 - filled),
        done=done,
        total=total,
        elapsed="00:01",
        eta="00:02" if done else "?",
        rate=rate,
        after=f", {after}" if after else "",
    )


def failed(message: str, kind: str = "RuntimeError") -> str:
    """Return what is printed for an error that ends the job."""
    line = "=" * 40
    return (
        f"Error running job: {message}\n\n{line}\nResult:\n - 0 completed jobs\n - 1 failure\n{line}\n"
        f'Traceback (most recent call last):\n  File "/srv/isengard/ai-toolkit/run.py", line 147, in <module>\n'
        f"    main()\n{kind}: {message}\n"
    )
