"""ComfyUI's errors in our words: whose fault it is, and what to do next. As the real server was seen to send them."""

from __future__ import annotations

from typing import Any

import pytest

from isengard.errors import BackendOutput, BackendUnavailable, DiskFull, InvalidInput, OutOfMemory, OutOfVram
from plugins.comfyui.failures import failed, refused, unmatched


def problem(class_type: str, kind: str, **more: Any) -> dict[str, Any]:
    error = {"type": kind, "message": more.pop("message", kind), "details": more.pop("details", ""), "extra_info": more}
    top = {"type": "prompt_outputs_failed_validation", "message": "Prompt outputs failed validation", "details": ""}
    return {"error": top, "node_errors": {"3": {"errors": [error], "class_type": class_type}}}


def test_a_missing_model_file_is_named() -> None:
    told = problem(
        "CheckpointLoaderSimple", "value_not_in_list", input_name="ckpt_name", received_value="nope.safetensors"
    )
    error = refused(400, told)
    assert isinstance(error, BackendUnavailable)
    assert "nope.safetensors" in error.message
    assert "models folder" in error.hint


def test_a_node_that_is_not_installed_is_named() -> None:
    told = {
        "error": {
            "type": "missing_node_type",
            "message": "Node 'X' not found.",
            "details": "Node ID '#9'",
            "extra_info": {"class_type": "PulidFluxApply"},
        },
        "node_errors": {},
    }
    error = refused(400, told)
    assert isinstance(error, InvalidInput)
    assert "PulidFluxApply" in error.message
    assert "custom node" in error.hint


def test_a_wrong_value_names_node_and_reason() -> None:
    told = problem("KSampler", "value_bigger_than_max", details="steps: 20000 > 10000", input_name="steps")
    error = refused(400, told)
    assert isinstance(error, InvalidInput)
    assert "KSampler" in error.message
    assert "steps" in error.message


def test_an_answer_without_a_reason_is_no_fault_of_the_request() -> None:
    error = refused(500, {})
    assert isinstance(error, BackendUnavailable)
    assert error.retryable


@pytest.mark.parametrize("kind", ["torch.OutOfMemoryError", "torch.cuda.OutOfMemoryError"])
def test_a_full_gpu_is_told_as_such(kind: str) -> None:
    told = {"exception_type": kind, "exception_message": "Allocation on device", "node_type": "KSampler"}
    assert isinstance(failed(told), OutOfVram)


def test_full_main_memory_is_told_as_such() -> None:
    message = "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried …"
    assert isinstance(failed({"exception_type": "RuntimeError", "exception_message": message}), OutOfMemory)


def test_a_damaged_file_is_told_as_such() -> None:
    told = {
        "exception_type": "safetensors._safetensors_rust.SafetensorError",
        "exception_message": "Error while deserializing header: header too large",
        "node_type": "LoraLoader",
    }
    assert isinstance(failed(told), InvalidInput)


def test_a_full_disk_is_told_as_such() -> None:
    told = {"exception_type": "OSError", "exception_message": "[Errno 28] No space left on device: '/x/y.png'"}
    assert isinstance(failed(told), DiskFull)


def test_another_failure_names_the_node_and_only_the_first_line() -> None:
    message = "Given groups=1, weight of size [64, 16, 3, 3], expected input…\n/home/someone/secret/path.py"
    error = failed({"exception_type": "RuntimeError", "exception_message": message, "node_type": "VAEDecode"})
    assert isinstance(error, BackendOutput)
    assert "VAEDecode" in error.message
    assert "secret" not in error.message
    assert not error.retryable


def test_keys_that_were_left_out_are_counted_and_the_first_is_named() -> None:
    error = unmatched(["transformer.nope.0.lora_A.weight", "b"])
    assert "2 parts" in error.message
    assert "transformer.nope.0.lora_A.weight" in error.message
