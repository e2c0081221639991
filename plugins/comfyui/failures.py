"""What goes wrong inside ComfyUI, in Isengard's words: the one place that knows its error messages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from isengard.errors import (
    BackendOutput,
    BackendUnavailable,
    DiskFull,
    InvalidInput,
    IsengardError,
    OutOfMemory,
    OutOfVram,
)

WORKFLOW_HINT = "Correct the workflow in ComfyUI's editor, or choose the base model's own workflow."
_SHOWN = 200  # characters of a foreign message


def refused(status: int, told: dict[str, Any]) -> IsengardError:
    """Return the error for a prompt that was not taken, or taken in part only."""
    error = told.get("error") or {}
    if isinstance(error, str):
        error = {"message": error}
    if error.get("type") in {"missing_node_type", "invalid_prompt"}:
        node = (error.get("extra_info") or {}).get("class_type") or _short(error.get("details") or "?")
        return InvalidInput(
            f"The workflow uses the node '{node}', which this ComfyUI does not have.",
            "Install the custom node that brings it, or choose another workflow.",
        )
    if error.get("type") == "prompt_no_outputs":
        return InvalidInput("The workflow makes no picture: it has no output node.", "Add a Save Image node.")
    for problem in _node_problems(told.get("node_errors") or {}):
        return problem
    if error.get("message"):
        return InvalidInput(f"ComfyUI refused the workflow: {_short(error['message'])}.", WORKFLOW_HINT)
    return BackendUnavailable(f"ComfyUI answered {status} and gave no reason.", "Retry the job; see the worker log.")


def _node_problems(node_errors: dict[str, Any]) -> Iterable[IsengardError]:
    for node in node_errors.values():
        for problem in node.get("errors", ()):
            yield _node_problem(str(node.get("class_type", "?")), problem)


def _node_problem(class_type: str, problem: dict[str, Any]) -> IsengardError:
    extra = problem.get("extra_info") or {}
    name = str(extra.get("input_name", ""))
    if problem.get("type") == "value_not_in_list" and name.endswith(("_name", "_name1", "_name2")):
        return BackendUnavailable(
            f"ComfyUI does not find the file '{extra.get('received_value')}'.",
            "Put it into the models folder that /api/models names, then retry the job.",
        )
    what = _short(problem.get("details") or problem.get("message") or problem.get("type") or "?")
    return InvalidInput(f"ComfyUI refused the node {class_type}: {what}.", WORKFLOW_HINT)


def failed(told: dict[str, Any]) -> IsengardError:
    """Return the error for a prompt that broke while it ran."""
    kind = str(told.get("exception_type", ""))
    message = str(told.get("exception_message", "")).strip()
    node = str(told.get("node_type", "a node"))
    if "OutOfMemory" in kind or "out of memory on your GPU" in message or "CUDA out of memory" in message:
        return OutOfVram(
            "The GPU ran out of memory.", "Choose a smaller size, fewer LoRAs or a smaller base model, then retry."
        )
    if "can't allocate memory" in message or "MemoryError" in kind:
        return OutOfMemory("ComfyUI ran out of main memory.", "Choose a smaller size or base model, then retry.")
    if "No space left on device" in message:
        return DiskFull("ComfyUI found no room on the disk.", "Delete pictures, LoRAs or models, then retry the job.")
    if "SafetensorError" in kind or "deserializing header" in message:
        return InvalidInput("A model or LoRA file is damaged.", "Download it again; the worker log names the node.")
    error = BackendOutput(
        f"ComfyUI failed in {node}: {_short(message.splitlines()[0] if message else kind)}.",
        "The worker log has the whole message. " + WORKFLOW_HINT,
    )
    error.retryable = False
    return error


def unmatched(keys: list[str]) -> BackendOutput:
    """Return the error for a LoRA of which parts were not applied."""
    return BackendOutput(
        f"ComfyUI did not load {len(keys)} parts of the LoRA, so the picture would be wrong. First: {_short(keys[0])}.",
        "The LoRA was made for another base model, or in a form that this ComfyUI does not know.",
    )


def empty_picture() -> BackendOutput:
    """Return the error for a picture of one colour, which is what numbers gone wrong look like."""
    return BackendOutput(
        "The model made an empty picture.",
        "Lower the LoRA strength or the guidance, try another sampler, or check that VAE and model belong together.",
    )


def damaged_picture() -> BackendOutput:
    """Return the error for a file that is no whole picture; another try may give one."""
    error = BackendOutput("ComfyUI gave a damaged picture.", "Retry the job; the disk may be full.")
    error.retryable = True
    return error


def _short(text: Any) -> str:
    """Cut a foreign message, and leave out what follows its first line: it may hold paths."""
    line = str(text).strip().splitlines()[0] if str(text).strip() else ""
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"
