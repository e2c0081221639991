"""What the server prints: cleaned for the log, and searched for LoRA keys that were not loaded."""

from __future__ import annotations

import threading

import pytest

from plugins.comfyui.said import Said, not_loaded


def test_colours_and_progress_bars_are_not_logged() -> None:
    told: list[str] = []
    said = Said(told.append)
    said.hear("\x1b[32m[INFO]\x1b[0m got prompt\n")
    said.hear(" 20%|██        | 1/5 [00:00<00:01,  3.50it/s]")
    said.hear("   ")
    assert told == ["[INFO] got prompt"]
    assert said.now == 1


def test_only_a_loras_own_keys_accuse_it() -> None:
    lines = ["[WARNING] lora key not loaded: transformer.nope.0.lora_A.weight", "[WARNING] lora key not loaded: other"]
    own = frozenset({"transformer.nope.0.lora_A.weight", "transformer.fits.lora_A.weight"})
    assert not_loaded(lines, own) == ["transformer.nope.0.lora_A.weight"]
    assert not_loaded(lines, frozenset({"transformer.fits.lora_A.weight"})) == []


@pytest.mark.parametrize(
    "line",
    [
        "[ERROR] ERROR lora diffusion_model.x.weight shape '[4, 4]' is invalid for input of size 8",
        "[WARNING] NOT LOADED diffusion_model.x.bias",
        "[WARNING] WARNING SHAPE MISMATCH diffusion_model.x.weight WEIGHT NOT MERGED [4] != [8]",
    ],
)
def test_a_part_that_was_not_applied_counts_as_not_loaded(line: str) -> None:
    assert not_loaded([line, "[INFO] got prompt"], frozenset()) == [line]


def test_lines_before_the_server_was_started_are_left_out() -> None:
    said = Said(lambda _text: None)
    said.hear("[WARNING] lora key not loaded: of.an.earlier.start")
    start = said.now
    said.hear("[WARNING] lora key not loaded: of.this.one")
    said.hear("[INFO] Prompt executed in 0.52 seconds")
    assert len(said.since(start, start, 1)) == 2


def test_it_waits_for_the_end_of_the_prompt() -> None:
    said = Said(lambda _text: None)

    def speak() -> None:
        said.hear("[WARNING] lora key not loaded: late.key")
        said.hear("[INFO] Prompt executed in 0.52 seconds")

    timer = threading.Timer(0.2, speak)
    timer.start()
    assert not_loaded(said.since(0, 0, 10), frozenset({"late.key"})) == ["late.key"]
    timer.join()


def test_a_server_that_said_nothing_is_told_as_such() -> None:
    assert Said(lambda _text: None).tail() == "it said nothing"
