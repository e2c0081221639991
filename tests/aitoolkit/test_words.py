"""Captions are made safe, and what AI-Toolkit prints is read as it means it."""

from __future__ import annotations

from isengard.errors import OutOfMemory, OutOfVram
from plugins.aitoolkit.failures import cause_of
from plugins.aitoolkit.said import Said, bar_in
from plugins.aitoolkit.words import safe_text, with_trigger


def heard(*lines: str) -> Said:
    said = Said(lambda _text: None, "lora")
    for line in lines:
        said.hear(line)
    return said


def test_captions_hold_nothing_that_is_read_as_an_order() -> None:
    assert safe_text("a ${HOME}\n[name] --w 512 Zürich") == "a $ {HOME} (name) - w 512 Zürich"


def test_the_trigger_is_a_word_of_its_own() -> None:
    assert with_trigger("a woman", "an") == "an, a woman"
    assert with_trigger("[trigger] smiles", "ohwx") == "ohwx smiles"


def test_the_bar_of_the_training_is_read() -> None:
    bar = bar_in("lora:  50%|█████     | 2/4 [00:02<00:02,  1.25s/it, lr: 1.0e-04 loss: 1.053e+00]")
    assert bar is not None
    assert (bar.done, bar.total, bar.steps_per_second, bar.loss) == (2, 4, 0.8, 1.053)


def test_ends_are_named_by_their_cause() -> None:
    full = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB"
    assert isinstance(cause_of(1, heard(f"Error running job: {full}", full)), OutOfVram)
    assert isinstance(cause_of(-9, heard("lora:  50%|# | 2/4 [00:02<00:02,  1.25s/it]")), OutOfMemory)
