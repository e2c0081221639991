"""AI-Toolkit's ends in our words: what happened and what to do next, for everything but a success."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from typing import TypeVar

from isengard.errors import (
    BackendCrashed,
    BackendOutput,
    BackendUnavailable,
    DiskFull,
    InvalidInput,
    IsengardError,
    OutOfMemory,
    OutOfVram,
    ReadOnlyVolume,
)
from plugins.aitoolkit.said import Said

E = TypeVar("E", bound=IsengardError)
LOG = "All it said is in trainer.log of the job and in the worker log."
SETUP = "Run: scripts/setup_backends ai-toolkit"
SMALLER = "Choose a smaller resolution, fewer bits for the base model's weights, or low VRAM; then try again."
FETCH = "Download the base model again in the Models view, then retry the job."
RESUMES = "Retry the job: it goes on from its last checkpoint."


@dataclass(frozen=True)
class Cause:
    """``sign`` is searched for in what it said; its first group, if any, is put into the message."""

    sign: str
    kind: type[IsengardError]
    message: str
    hint: str
    retryable: bool = False


# The first that is found counts, so causes stand before what they cause.
CAUSES = (
    Cause(
        r"No space left on device|\[Errno 28\]|database or disk is full",
        DiskFull,
        "The volume is full.",
        "Delete pictures, LoRAs or the cache folder, then retry the job: it goes on from its last checkpoint.",
    ),
    Cause(
        r"Read-only file system|\[Errno 30\]|readonly database",
        ReadOnlyVolume,
        "The volume does not take writes.",
        "Mount it for writing, then retry the job.",
    ),
    Cause(
        r"GatedRepo|gated repo|40[13] Client Error|Invalid (?:user|username) (?:token|or password)",
        BackendUnavailable,
        "The base model is gated: Hugging Face did not let AI-Toolkit have it.",
        "Accept its licence on its page, set HF_TOKEN, and download it in the Models view.",
    ),
    Cause(
        r"OutOfMemoryError|CUDA out of memory|OOM during training step 3 times|CUBLAS_STATUS_ALLOC_FAILED|"
        r"HIP out of memory",
        OutOfVram,
        "The GPU's memory ran out during the training.",
        SMALLER,
    ),
    Cause(
        r"can't allocate memory|Cannot allocate memory|^MemoryError|std::bad_alloc|"
        r"DataLoader worker .* killed by signal: (?:Killed|Bus error)",
        OutOfMemory,
        "Main memory ran out during the training.",
        "Close other programs, or choose fewer bits for the base model's weights; then retry the job.",
        retryable=True,
    ),
    Cause(
        r"no images found in",
        InvalidInput,
        "AI-Toolkit found no picture that it can read.",
        "Add pictures in the Characters tab, then start the training again.",
    ),
    Cause(
        r"Error running job: \[Errno 2\] No such file or directory: '([^']+)'",
        BackendCrashed,
        "A file that the training needs is gone: {0}.",
        "Retry the job: its files are made again.",
        retryable=True,
    ),
    Cause(
        r"SafetensorError|HeaderTooLarge|MetadataIncompleteBuffer|InvalidHeader|PytorchStreamReader|"
        r"invalid load key|not a ZIP archive",
        BackendCrashed,
        "AI-Toolkit could not read a file of weights: it is damaged.",
        "Retry the job; if it happens again, download the base model again in the Models view.",
        retryable=True,
    ),
    Cause(
        r"OfflineModeIsEnabled|LocalEntryNotFound|does not appear to have a file named|"
        r"Cannot find .* in the (?:cache|local)|is not a valid (?:model identifier|local path or hub path)|"
        r"Error no file named|Can't load (?:tokenizer|the model|config)",
        BackendUnavailable,
        "Files of the base model are missing, and AI-Toolkit is not allowed to fetch them by itself.",
        FETCH,
    ),
    Cause(
        r"Unknown optimizer type (\S+)",
        InvalidInput,
        "This AI-Toolkit does not know the optimizer '{0}'.",
        "Choose another optimizer, such as adamw8bit.",
    ),
    Cause(
        r"Sampler (\S+) not supported",
        InvalidInput,
        "This AI-Toolkit does not know the sampler '{0}'.",
        SETUP,
    ),
    Cause(
        r"Scheduler must be cosine",
        InvalidInput,
        "This AI-Toolkit does not know the learning rate schedule that was asked for.",
        "Choose 'constant'.",
    ),
    Cause(
        r"Unknown process type: (\S+)",
        BackendUnavailable,
        "This AI-Toolkit has no process '{0}': it is another version than the one that Isengard knows.",
        SETUP,
    ),
    Cause(
        r"Could not find config file",
        BackendCrashed,
        "AI-Toolkit did not find its config file.",
        "Retry the job: its files are made again.",
        retryable=True,
    ),
    Cause(
        r"Environment variable (\S+) not set",
        InvalidInput,
        "A text of the training has '${{{0}}}' in it, which AI-Toolkit takes for a variable.",
        "Write it without the dollar sign.",
    ),
    Cause(
        r"CUDA driver version is insufficient|driver on your system is too old|no kernel image is available|"
        r"Torch not compiled with CUDA|No CUDA GPUs are available|CUDA-capable device\(s\) is/are busy",
        BackendUnavailable,
        "AI-Toolkit's PyTorch cannot use this machine's GPU.",
        "Update the NVIDIA driver (580 or newer for its CUDA 13), or see docs/ai-toolkit.md for other builds.",
    ),
    Cause(
        r"CUDA error: (.+)",
        BackendCrashed,
        "The GPU reported an error: {0}.",
        RESUMES,
        retryable=True,
    ),
    Cause(
        r"(?:ModuleNotFoundError|ImportError): (.+)",
        BackendUnavailable,
        "AI-Toolkit's environment is not whole: {0}.",
        SETUP,
    ),
    Cause(
        r"PermissionError: .*'([^']+)'",
        BackendUnavailable,
        "AI-Toolkit may not use {0}.",
        "Give the user that runs Isengard the right to it, then retry the job.",
    ),
    Cause(
        r"size mismatch for|Error\(s\) in loading state_dict|Missing key\(s\) in state_dict",
        BackendUnavailable,
        "The base model's files are not those of the model that they should be.",
        FETCH,
    ),
    Cause(
        r"database is locked",
        BackendCrashed,
        "AI-Toolkit could not write its job table: another program held it.",
        RESUMES,
        retryable=True,
    ),
)


def cause_of(code: int, said: Said) -> IsengardError:
    """Put the end of a run that nobody asked to end into words."""
    text = said.everything()
    if code < 0 and not said.failed:
        return _killed(-code, said)
    for cause in CAUSES:
        if found := re.search(cause.sign, text, re.MULTILINE):
            parts = [part.strip().rstrip(".") for part in found.groups() if part]
            return _made(cause.kind, cause.message.format(*parts), cause.hint, retryable=cause.retryable)
    if said.stopped:
        return _made(BackendCrashed, "AI-Toolkit was told to stop by somebody else.", RESUMES, retryable=True)
    last = said.failed or said.exception or said.tail()
    return _made(BackendCrashed, f"AI-Toolkit ended with an error: {last.rstrip('.')}.", LOG, retryable=True)


def _killed(number: int, said: Said) -> IsengardError:
    if number == signal.SIGKILL:
        return _made(
            OutOfMemory,
            "AI-Toolkit was killed by the system, most likely because main memory ran out.",
            "Close other programs, or choose fewer bits for the base model's weights; checkpoints are kept.",
            retryable=True,
        )
    if number == signal.SIGBUS:
        return _made(
            OutOfMemory,
            "AI-Toolkit lost its shared memory: it is too small, or the disk is full.",
            "Give the container more shared memory (docker run --shm-size=8g), then retry the job.",
            retryable=True,
        )
    if number in {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}:
        return _made(BackendCrashed, "AI-Toolkit was ended by another program.", RESUMES, retryable=True)
    name = signal.Signals(number).name if number in {s.value for s in signal.Signals} else str(number)
    return _made(BackendCrashed, f"AI-Toolkit crashed ({name}). It last said: {said.tail(1)}", RESUMES, retryable=True)


def diverged(count: int, step: int) -> BackendOutput:
    """Make the error for a loss that is no number: AI-Toolkit goes on with 0 and makes a useless file."""
    return BackendOutput(
        f"The training diverged: its loss was no number {count} times, at last at step {step}.",
        "Lower the learning rate or choose another optimizer or precision (bf16), then start a new training.",
    )


def out_of_vram(step: int) -> OutOfVram:
    """Make the error for a step that it left out, and counted, for want of memory."""
    return OutOfVram(f"The GPU's memory ran out during the training, after step {step}.", SMALLER)


def left_out(names: list[str], found: int, wanted: int) -> InvalidInput:
    """Make the error for pictures that it could not use."""
    which = f": {', '.join(names[:5])}" if names else ""
    return InvalidInput(
        f"AI-Toolkit could use only {found} of {wanted} pictures{which}.",
        "Remove or replace them in the Characters tab, then start the training again.",
    )


def lost_its_place(resumed_at: int | None, wanted: int) -> BackendCrashed:
    """Make the error for a resume that began anew, which would throw away what was trained."""
    told = "began from nothing" if resumed_at is None else f"went on from step {resumed_at}"
    return _made(
        BackendCrashed, f"AI-Toolkit {told} in place of step {wanted}, where its checkpoint is.", LOG, retryable=False
    )


def silent(minutes: float, said: Said) -> BackendCrashed:
    """Make the error for one that hangs."""
    message = f"AI-Toolkit said nothing for {minutes:.0f} minutes. It last said: {said.tail(1)}"
    return _made(BackendCrashed, message, RESUMES, retryable=True)


def _made(kind: type[E], message: str, hint: str, *, retryable: bool) -> E:
    error = kind(message, hint)
    error.retryable = retryable
    return error
