"""Failures to inject into the stand-in, and the cause that must be named for each: what people meet, one a row."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isengard.domain.event import Weights
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
from plugins.aitoolkit import watch
from tests.aitoolkit.bench import LEASE, Bench

RESULT = "========================================\nResult:\n - 0 completed jobs\n - 1 failure\n"


@dataclass(frozen=True)
class Fault:
    """``plan`` is the stand-in's; ``kind`` and ``cause`` (a pattern of the message) are what a person must be told."""

    name: str
    kind: type[IsengardError]
    cause: str
    plan: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    family: str = "sd15"


def replayed(name: str, kind: type[IsengardError], cause: str, **end: Any) -> Fault:
    """Make a fault that was captured: it is repeated byte for byte."""
    return Fault(f"captured: {name}", kind, cause, {"replays": name, "code": 1, **end})


def said(name: str, kind: type[IsengardError], cause: str, *lines: str, at: int = 5) -> Fault:
    """Make a fault that is known by its words; the last line is the exception's."""
    job = f"Error running job: {lines[-1].partition(': ')[2] or lines[-1]}"
    trace = ("Traceback (most recent call last):", '  File "/srv/isengard/ai-toolkit/run.py", line 147, in <module>')
    return Fault(name, kind, cause, {"at": at, "code": 1, "says": [*lines[:-1], job, RESULT, *trace, lines[-1]]})


def killed(name: str, kind: type[IsengardError], cause: str, number: signal.Signals, at: int = 5) -> Fault:
    """Make a fault without a word."""
    return Fault(name, kind, cause, {"at": at, "signal": int(number)})


def spoilt(name: str, cause: str, spoils: str, **plan: Any) -> Fault:
    """Make a fault that the trainer does not notice: it exits with 0."""
    return Fault(f"exit 0: {name}", BackendOutput, cause, {"spoils": spoils, **plan})


FAULTS = (
    replayed("allcorrupt", InvalidInput, r"could use only 0 of 3 pictures: b\.png"),
    replayed("empty", InvalidInput, "could use only 0 of 3 pictures"),
    replayed("corrupt", InvalidInput, r"could use only 1 of 3 pictures: .*c\.png", code=0),
    replayed("truncjpg", InvalidInput, r"could use only 1 of 3 pictures: b\.jpg", code=0),
    replayed("badopt", InvalidInput, "does not know the optimizer 'nosuchopt'"),
    replayed("badtype", BackendUnavailable, "no process 'nope'"),
    replayed("missing", BackendCrashed, r"A file .* is gone: /srv/isengard/fault/nope"),
    replayed("nomodel", BackendUnavailable, "Files of the base model are missing"),
    replayed("sigint2", BackendCrashed, "told to stop by somebody else", code=0),
    replayed("sigterm", BackendCrashed, "ended by another program", code=None, signal=int(signal.SIGTERM)),
    said(
        "stopped through its table",
        BackendCrashed,
        "told to stop by somebody else",
        "Exception: Job stopped",
    ),
    said(
        "video memory while loading",
        OutOfVram,
        "GPU's memory ran out",
        "Quantizing transformer",
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.25 GiB. GPU 0 has 23.5 GiB",
        at=-1,
    ),
    Fault("video memory in four steps running", OutOfVram, "GPU's memory ran out", {"skips_from": 3}),
    killed("main memory: killed by the system", OutOfMemory, "killed by the system.* main memory", signal.SIGKILL),
    killed("shared memory too small", OutOfMemory, "lost its shared memory", signal.SIGBUS),
    said(
        "main memory: refused",
        OutOfMemory,
        "Main memory ran out",
        "RuntimeError: [enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory",
    ),
    said(
        "a data loader killed",
        OutOfMemory,
        "Main memory ran out",
        "RuntimeError: DataLoader worker (pid(s) 4711) exited unexpectedly",
        "RuntimeError: DataLoader worker (pid 4711) is killed by signal: Killed. ",
    ),
    Fault("the loss is no number", BackendOutput, "diverged: its loss was no number", {"not_numbers_from": 3}),
    said(
        "no token for a gated model",
        BackendUnavailable,
        "gated",
        "huggingface_hub.errors.GatedRepoError: 401 Client Error. (Request ID: 1) Cannot access gated repo for url "
        "https://huggingface.co/black-forest-labs/FLUX.1-dev/resolve/main/transformer/config.json.",
        "OSError: You are trying to access a gated repo.",
        at=-1,
    ),
    said(
        "the disk is full",
        DiskFull,
        "volume is full",
        "safetensors_rust.SafetensorError: Error while serializing: I/O error: No space left on device (os error 28)",
    ),
    said(
        "the disk is full for its table",
        DiskFull,
        "volume is full",
        "sqlite3.OperationalError: database or disk is full",
    ),
    said(
        "the volume takes no writes",
        ReadOnlyVolume,
        "does not take writes",
        "OSError: [Errno 30] Read-only file system: '/srv/isengard/out/lora/optimizer.pt'",
    ),
    said(
        "a broken checkpoint",
        BackendCrashed,
        "could not read a file of weights",
        "#### IMPORTANT RESUMING FROM /srv/isengard/out/lora/lora_000000004.safetensors ####",
        "safetensors_rust.SafetensorError: Error while deserializing header: MetadataIncompleteBuffer",
        at=-1,
    ),
    said(
        "a broken optimizer state",
        BackendCrashed,
        "could not read a file of weights",
        "RuntimeError: PytorchStreamReader failed reading zip archive: failed finding central directory",
        at=-1,
    ),
    said(
        "a variable in a text",
        InvalidInput,
        r"'\$\{FOO\}' in it",
        "ValueError: Environment variable FOO not set.",
        at=-1,
    ),
    said(
        "a package is missing",
        BackendUnavailable,
        "environment is not whole: No module named 'torchao'",
        "ModuleNotFoundError: No module named 'torchao'",
        at=-1,
    ),
    said(
        "the driver is too old",
        BackendUnavailable,
        "cannot use this machine's GPU",
        "RuntimeError: The NVIDIA driver on your system is too old (found version 12020).",
        at=-1,
    ),
    said(
        "the GPU reports an error",
        BackendCrashed,
        "GPU reported an error: an illegal memory access",
        "torch.AcceleratorError: CUDA error: an illegal memory access was encountered",
    ),
    said(
        "files of another model",
        BackendUnavailable,
        "not those of the model that they should be",
        "RuntimeError: Error(s) in loading state_dict for AutoencoderKL:",
        at=-1,
    ),
    said(
        "no right to a file",
        BackendUnavailable,
        "may not use /srv/isengard/out/lora/samples",
        "PermissionError: [Errno 13] Permission denied: '/srv/isengard/out/lora/samples'",
    ),
    said(
        "its table is locked",
        BackendCrashed,
        "could not write its job table",
        "[AITK] Database locked after 4 attempts, giving up.",
        "sqlite3.OperationalError: database is locked",
    ),
    said(
        "something nobody has seen",
        BackendCrashed,
        "ended with an error: the frobnicator is out of cheese",
        "RuntimeError: the frobnicator is out of cheese",
    ),
    killed("it crashes", BackendCrashed, r"crashed \(SIGSEGV\)", signal.SIGSEGV),
    Fault("it hangs", BackendCrashed, "said nothing for", {"at": 5, "hangs": True}),
    Fault(
        "it begins anew in place of going on",
        BackendCrashed,
        "began from nothing in place of step 4",
        {"forgets": True},
    ),
    spoilt("no final file", "file is not usable", "absent"),
    spoilt("the final file is cut off", "file is not usable", "cut"),
    spoilt("another rank", "has rank 5, not 4", "rank"),
    spoilt("half a pair", "1 of 3 layers lack a half", "half"),
    spoilt("weights of something else in it", "is no part of a LoRA", "stranger"),
    spoilt("fewer steps than asked for", "says step 11, not 12", "step"),
    spoilt("nothing learnt", "All trained weights are zero", "zero"),
    spoilt("weights are no numbers", "diverged: its weights are not numbers", "nan"),
    Fault(
        "exit 0: trained as another model",
        BackendOutput,
        "trained as 'sd_1.5', not as 'zimage'",
        {"arch": "sd_1.5"},
        family="z-image",
    ),
)


@dataclass(frozen=True)
class Outcome:
    """What was told for a fault; ``right`` when its kind and its cause are those that it has."""

    fault: Fault
    told: str
    hint: str
    right: bool
    false_success: bool


def inject(fault: Fault, bench: Bench, work: Path) -> Outcome:
    """Train with the fault; return what a person would be told."""
    run = bench.run(work, base=bench.base(fault.family), **fault.config)
    if "forgets" in fault.plan:
        bench.plan(at=6, signal=int(signal.SIGKILL))
        _told(bench, run)
    bench.plan(**fault.plan)
    with _impatient():
        told = _told(bench, run)
    if told is None:
        return Outcome(fault, "a success", "", right=False, false_success=True)
    right = type(told) is fault.kind and re.search(fault.cause, told.message) is not None and bool(told.hint)
    return Outcome(fault, f"{type(told).__name__}: {told.message}", told.hint, right, false_success=False)


def _told(bench: Bench, run: Any) -> IsengardError | None:
    try:
        ended = any(isinstance(event, Weights) for event in bench.training.train(run, LEASE))
    except IsengardError as error:
        return error
    return None if ended else IsengardError("It ended without a result and without a word.", "")


@contextmanager
def _impatient() -> Iterator[None]:
    """Wait for a word for seconds, not for an hour."""
    before, watch.SILENT_SECONDS = watch.SILENT_SECONDS, 4.0
    try:
        yield
    finally:
        watch.SILENT_SECONDS = before
