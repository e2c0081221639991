"""The Training tab: what to train and how on the left, how it goes on the right, what came of it below."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import gradio as gr

from isengard.domain.request import TrainingConfig, TrainingRequest
from isengard.errors import InvalidInput
from isengard.services.house import Isengard
from ui.components import choices
from ui.components.fields import number_field
from ui.components.handler import LATEST, QUIET, handled, reported
from ui.components.start_from import base_of, start_field, starts
from ui.components.training_fields import GROUPS, SETTINGS, draw, filled_in, shown, typed
from ui.components.training_plan import origin, told
from ui.components.view import view

PRESETS = [("Quick", "quick"), ("Balanced", "balanced"), ("Best", "best")]
FIRST_PRESET = "balanced"


class TrainingForm(NamedTuple):
    """The tab's fields, for those who fill them from elsewhere. ``settings`` are in the order of SETTINGS."""

    character: gr.Dropdown
    base: gr.Dropdown
    preset: gr.Radio
    start: gr.Dropdown
    settings: list[Any]
    price: gr.Textbox
    about: gr.HTML
    origin: gr.HTML
    groups: list[gr.Column]
    plan: gr.HTML

    @property
    def inputs(self) -> list[Any]:
        """In the order that ``_request`` reads them."""
        return [self.character, self.base, self.preset, self.start, *self.settings]


def training_tab(isengard: Isengard) -> TrainingForm:
    """Draw the tab and wire it."""
    with gr.Row(elem_classes=["isg-columns"]):
        with gr.Column(scale=2, min_width=320, elem_classes=["isg-panel"]):
            form = _fields(isengard.preflight.price_per_hour)
            start = gr.Button("Start training", variant="primary", elem_id="training-start")
        with gr.Column(scale=3, min_width=320):
            view("training")
    view("loras")
    _wire(isengard, form, start)
    _wire_begun(isengard, form)
    return form


def _fields(price_per_hour: float) -> TrainingForm:
    character = gr.Dropdown([], label="Character", allow_custom_value=True, elem_id="training-character")
    base = gr.Dropdown([], label="Base model", allow_custom_value=True, elem_id="training-base")
    about = gr.HTML(apply_default_css=False, elem_id="training-about", elem_classes=["isg-html"])
    preset = gr.Radio(
        PRESETS,
        value=FIRST_PRESET,
        label="Preset",
        info="Quick shows whether the pictures work; Best takes longest.",
        elem_id="training-preset",
    )
    start = start_field()
    whence = gr.HTML(apply_default_css=False, elem_id="training-origin", elem_classes=["isg-html"])
    with gr.Accordion("Advanced settings", open=False, elem_id="training-advanced"):
        gr.HTML(
            '<p class="isg-muted">An empty field takes the value of the preset, shown in grey.</p>',
            apply_default_css=False,
            elem_classes=["isg-html"],
        )
        groups, settings = _groups()
    price = number_field("Price of this machine", "An hour, in any currency, to see what it costs.", "training-price")
    price.placeholder = f"{price_per_hour:g}" if price_per_hour else ""
    plan = view("preflight", value="")
    return TrainingForm(character, base, preset, start, settings, price, about, whence, groups, plan)


def _groups() -> tuple[list[gr.Column], list[Any]]:
    groups, fields = [], []
    for title, settings in GROUPS.items():
        with gr.Column(elem_classes=["isg-fields"]) as group:
            gr.HTML(f"<h3>{title}</h3>", apply_default_css=False, elem_classes=["isg-html"])
            fields += [draw(setting) for setting in settings]
        groups.append(group)
    return groups, fields


def _wire(isengard: Isengard, form: TrainingForm, start: gr.Button) -> None:
    @reported
    def plan(price: str, *values: Any) -> str:
        if not values[0]:
            return ""
        return told(isengard, isengard.preflight.look(_request(isengard, values), _price(price)))

    @handled
    def submit(*values: Any) -> None:
        isengard.training.submit(_request(isengard, values))
        gr.Info("The training is in the queue. It goes on when you close this page.", duration=5)

    @handled
    def explain(character: str, base: str, preset: str) -> list[Any]:
        return _explained(isengard, character, base, preset)

    @handled
    def apply(asked: gr.SelectData) -> list[Any]:
        changes = json.loads(asked.value)
        return [changes.get("base_model", gr.skip()), *_applied(changes)]

    explained = [form.about, form.origin, *form.groups, *form.settings]
    named: list[Any] = [form.character, form.base, form.preset]
    gr.on([each.change for each in named], explain, named, explained, **LATEST)
    priced: list[Any] = [form.price, *form.inputs]
    gr.on([*(each.change for each in priced), form.plan.input], plan, priced, form.plan, **LATEST)
    form.plan.select(apply, None, [form.base, *form.settings], **QUIET)
    started = start.click(submit, form.inputs, None, **QUIET)
    started.success(None, None, None, js="() => window.isengard.jobsChanged()", api_visibility="private")


def wire_start(isengard: Isengard, form: TrainingForm, *changed: Any) -> None:
    """Keep what a training can go on from as it is for the character, and after each of these events."""

    @handled
    def startable(character: str, start: str) -> gr.Dropdown:
        return starts(isengard, character, start)

    gr.on([form.character.change, *changed], startable, [form.character, form.start], form.start, **LATEST)


def _wire_begun(isengard: Isengard, form: TrainingForm) -> None:
    @handled
    def begun(start: str) -> Any:
        return base_of(isengard, start) if start else gr.skip()

    form.start.input(begun, form.start, form.base, **QUIET)


def _explained(isengard: Isengard, character: str, base: str, preset: str) -> list[Any]:
    """Return the notes, and each group and field as the base model's backend has it."""
    if not base:
        return ["", "", *[gr.skip()] * (len(GROUPS) + len(SETTINGS))]
    config = isengard.training.presets(base, character or "")[preset]
    able = isengard.training.abilities(base)
    groups = [gr.Column(visible=any(one.name in able.settings for one in group)) for group in GROUPS.values()]
    fields = [shown(one, getattr(config, one.name), visible=one.name in able.settings) for one in SETTINGS]
    said = origin(able.presets[preset], config.steps, config.image_count)
    return [choices.licence(isengard.models.get(base).row), _origin_markup(said), *groups, *fields]


def _origin_markup(said: Mapping[str, str]) -> str:
    words = {name: html.escape(text) for name, text in said.items()}
    look = {"high": "good", "low": "warn"}.get(said["confidence"], "")
    sure = f'<span class="isg-pill {look}">Confidence: {words["confidence"]}</span>'
    return f'<div class="isg-origin"><p>{words["steps"]}.</p><p>Source: {words["source"]}.</p>{sure}</div>'


def _applied(changes: Mapping[str, Any]) -> list[Any]:
    """Return values for the settings; where another base model is taken, its preset is taken as it is."""
    if "base_model" in changes:
        return [gr.skip() if one.look == "flag" else "" for one in SETTINGS]
    return [filled_in(one, changes[one.name]) if one.name in changes else gr.skip() for one in SETTINGS]


def chosen(isengard: Isengard, character: str) -> gr.Dropdown:
    """Return the drop-down of characters with one chosen."""
    return choices.dropdown(choices.characters(isengard), character)


def offered(isengard: Isengard, character: str | None, base: str | None) -> list[gr.Dropdown]:
    """Return the drop-downs with what is there now; choices that still exist are left alone."""
    people, models = choices.characters(isengard), choices.trainable(isengard)
    return [choices.refreshed(people, character), choices.refreshed(models, base)]


def _request(isengard: Isengard, values: Sequence[Any]) -> TrainingRequest:
    """Return what the form asks for; a field that is hidden, for it has no effect here, counts for nothing."""
    character, base, preset, start, *rest = values
    if not character:
        raise InvalidInput("No character is chosen.", "Make one in the Characters tab, then choose it here.")
    heeded = isengard.training.abilities(base or "").settings
    filled = {one.name: typed(one, value) for one, value in zip(SETTINGS, rest, strict=True) if one.name in heeded}
    known = {name: value for name, value in filled.items() if value is not None}
    config = TrainingConfig.model_validate({"base_model": base or "", "preset": preset, **known})
    return TrainingRequest(character_id=character, config=config, start_from=start or "")


def _price(typed_in: str) -> float | None:
    if not typed_in:
        return None
    try:
        price = float(typed_in.replace(",", "."))
    except ValueError:
        price = -1
    if price <= 0:
        raise InvalidInput("The price is no number above zero.", "Write it such as 0.69, or leave it empty.")
    return price
