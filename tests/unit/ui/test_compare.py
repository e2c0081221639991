"""Comparison grids as they are written into the form."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from isengard.errors import InvalidInput
from ui.components.compare import FilledAxis, cells, grid_of, shown, summary

STEPS = FilledAxis("steps", "4, 8,12 ,")
NONE = FilledAxis()


def test_nothing_filled_in_is_no_grid() -> None:
    assert grid_of((NONE, NONE)) is None
    assert (cells((NONE, NONE)), summary((NONE, NONE))) == (0, "")


def test_values_become_what_the_setting_takes() -> None:
    grid = grid_of((STEPS, FilledAxis("guidance_scale", "2, 4.5")))
    assert grid is not None
    assert grid.y is not None
    assert (grid.x.values, grid.y.values) == ((4, 8, 12), (2.0, 4.5))


def test_rows_alone_become_columns() -> None:
    grid = grid_of((NONE, STEPS))
    assert grid is not None
    assert (grid.x.field, grid.y) == ("steps", None)


def test_words_may_hold_commas_on_lines_of_their_own() -> None:
    assert FilledAxis("prompt", "red, old\nblue, new").values == ["red, old", "blue, new"]
    assert FilledAxis("prompt", "red, blue").values == ["red", "blue"]


def test_what_is_chosen_from_a_list_is_not_read_from_the_text() -> None:
    assert FilledAxis("lora", "4, 8", ["lora-a"]).values == ["lora-a"]
    assert FilledAxis("steps", "4, 8", ["lora-a"]).values == ["4", "8"]


@pytest.mark.parametrize("axis", [FilledAxis("steps", "few"), FilledAxis("steps", "4.5"), FilledAxis("seed", "1; 2")])
def test_words_for_numbers_are_refused_with_an_example(axis: FilledAxis) -> None:
    with pytest.raises(InvalidInput) as told:
        grid_of((axis, NONE))
    assert "such as" in told.value.hint


def test_no_values_are_refused() -> None:
    with pytest.raises(InvalidInput, match="no values"):
        grid_of((FilledAxis("sampler"), NONE))


def test_a_grid_too_large_or_twice_the_same_is_refused() -> None:
    many = ",".join(str(number) for number in range(1, 13))
    for other in (FilledAxis("seed", many), FilledAxis("steps", "5")):
        with pytest.raises(ValidationError):
            grid_of((FilledAxis("steps", many), other))


def test_the_summary_counts() -> None:
    rows = FilledAxis("sampler", "", ["euler", "heun"])
    assert summary((STEPS, rows)) == "3 columns and 2 rows: 6 pictures, all with the same seed."
    assert summary((FilledAxis("seed", "1"), NONE)) == "1 column: 1 picture."
    assert cells((STEPS, rows)) == 6


@pytest.mark.parametrize(
    ("field", "written", "picked"), [("steps", True, False), ("lora", False, True), ("", False, False)]
)
def test_only_the_fitting_field_of_values_is_shown(field: str, written: bool, picked: bool) -> None:
    visible = [update.constructor_args["visible"] for update in shown(field, [])]
    assert visible == [written, picked]
