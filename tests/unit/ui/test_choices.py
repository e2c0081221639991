"""Drop-downs that are refreshed leave a person's choice alone."""

from __future__ import annotations

from ui.components.choices import dropdown, refreshed

OFFERS = [("Zara", "char-1"), ("Hopper", "char-2")]


def test_a_choice_that_still_exists_is_not_sent_back() -> None:
    assert "value" not in refreshed(OFFERS, "char-2").constructor_args
    assert "value" not in refreshed(OFFERS, "char-2", "char-1").constructor_args


def test_a_choice_that_is_gone_falls_back() -> None:
    assert refreshed(OFFERS, "char-9").constructor_args["value"] == "char-1"
    assert refreshed(OFFERS, None, "char-2").constructor_args["value"] == "char-2"
    assert refreshed([], "char-9").constructor_args["value"] == ""


def test_a_choice_that_is_asked_for_is_made() -> None:
    assert dropdown(OFFERS, "char-2").constructor_args["value"] == "char-2"
    assert dropdown(OFFERS, "gone").constructor_args["value"] == "char-1"
