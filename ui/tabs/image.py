"""The Image tab: whom to draw and how on the left, pictures in the making and the gallery on the right."""

from __future__ import annotations

import html
import random
from collections.abc import Sequence
from typing import Any

import gradio as gr

from isengard.plugins.protocols import Abilities
from isengard.services.house import Isengard
from ui.components import choices
from ui.components.compare import NOTHING, SETTINGS, AxisFields, shown, summary
from ui.components.handler import LATEST, QUIET, answered, handled
from ui.components.image_again import further, lora_choices
from ui.components.image_form import MIX, SHAPES, ImageForm, image_fields
from ui.components.image_request import abilities, base_of, promise, requests_of, triggers
from ui.components.image_sections import DEFAULT, OWN_WORKFLOW
from ui.components.view import view

EDGE_STEP = 8  # what latent models need
SCRIPT: dict[str, Any] = {"fn": None, "outputs": None, "api_visibility": "private"}


def image_tab(isengard: Isengard) -> ImageForm:
    """Draw the tab and wire it."""
    with gr.Row(elem_classes=["isg-columns"]):
        with gr.Column(scale=2, min_width=320, elem_classes=["isg-panel"]):
            form = image_fields()
        with gr.Column(scale=3, min_width=320):
            view("making")
            view("gallery")
    _wire_choices(isengard, form)
    _wire_prompt(isengard, form)
    _wire_start(form)
    _wire_compare(isengard, form)
    _wire_submit(isengard, form)
    return form


def _wire_choices(isengard: Isengard, form: ImageForm) -> None:
    @handled
    def reveal(*picked: str) -> list[Any]:
        last = max((place for place, value in enumerate(picked) if value), default=0)
        return [gr.Row(visible=place <= last + 1) for place in range(1, MIX)]

    @handled
    def shaped(shape: str, base: str, first: str) -> tuple[int | None, int | None]:
        across, down = SHAPES[shape]
        if across == down:
            return None, None
        edge = isengard.generation.defaults(base_of(isengard, base, first)).width or 0
        shorter = round(edge * min(across, down) / max(across, down) / EDGE_STEP) * EDGE_STEP
        return (edge, shorter) if across > down else (shorter, edge)

    @handled
    def drawn(mode: str, seed: str) -> Any:
        return gr.skip() if seed or mode == "random" else str(random.randrange(2**32))

    @handled
    def shown_when_fixed(mode: str) -> Any:
        return gr.Textbox(visible=mode == "fixed")

    gr.on([each.change for each in form.picks], reveal, form.picks, form.rows[1:], **LATEST)
    size = [form.more.width, form.more.height]
    form.shape.input(shaped, [form.shape, form.more.base, form.picks[0]], size, **QUIET)
    mode, seed = form.more.seed_mode, form.more.seed
    mode.input(drawn, [mode, seed], seed, **QUIET)
    mode.change(shown_when_fixed, mode, seed, **LATEST)


def _wire_prompt(isengard: Isengard, form: ImageForm) -> None:
    @handled
    def words(*picked: str) -> list[str]:
        return triggers(isengard, picked)

    gr.on([each.change for each in form.picks], words, form.picks, form.trigger, **LATEST)
    js = "(prompt, lines) => window.isengard.prompted(prompt, lines)"
    prompt = [form.prompt, form.each_line]
    gr.on([form.prompt.change, form.each_line.change], inputs=prompt, js=js, **SCRIPT)


def _wire_start(form: ImageForm) -> None:
    start, more = form.start, form.more

    @handled
    def started(picture: str) -> list[Any]:
        box = gr.Accordion(open=True, visible=True) if picture else gr.skip()
        return [box, gr.Row(visible=bool(picture)), gr.Radio(visible=not picture)]

    @handled
    def brought() -> list[Any]:
        return ["Square", None, None]  # its own shape is kept unless a size is written

    start.picture.change(started, start.picture, [start.box, start.how, form.shape], **LATEST)
    start.picture.change(inputs=start.picture, js="(id) => window.isengard.started(id)", **SCRIPT)
    start.picture.upload(brought, None, [form.shape, more.width, more.height], **QUIET)


def _wire_compare(isengard: Isengard, form: ImageForm) -> None:
    @handled
    def values(field: str, base: str, first: str, workflow: str) -> list[Any]:
        if field == "lora":
            return shown(field, [(lora.label.strip(), lora.id) for lora in choices.versions(isengard)])
        able = abilities(isengard, base, first, workflow)
        names = {"sampler": able.samplers, "scheduler": able.schedulers}.get(field, ())
        return shown(field, [(name, name) for name in names])

    @answered
    def note(*filled: Any) -> str:
        text = summary(form.read(filled).axes)
        return f'<p class="isg-muted">{html.escape(text)}</p>' if text else ""

    @handled
    def promised(*filled: Any) -> Any:
        return gr.Button(promise(form.read(filled)))

    def wire_axis(axis: AxisFields) -> None:
        # Only a person's own choice empties the values: settings that come back bring theirs.
        axis.field.input(
            values, [axis.field, form.more.base, form.picks[0], form.more.workflow], [axis.text, axis.picked], **LATEST
        )

    for axis in (form.compare.x, form.compare.y):
        wire_axis(axis)
    changes = [field.change for field in form.compare.inputs]
    gr.on(changes, note, form.inputs, form.compare.note, **LATEST)
    also = [form.each_line.change, form.pictures.change, form.prompt.blur]
    gr.on([*changes, *also], promised, form.inputs, form.generate, **LATEST)


def _wire_submit(isengard: Isengard, form: ImageForm) -> None:
    @handled
    def submit(*values: Any) -> None:
        requests = requests_of(isengard, form.read(values))
        for request in requests:
            isengard.generation.submit(request)
        if len(requests) > 1:
            gr.Info(f"{len(requests)} jobs are in the queue, one for each line.", duration=5)

    done = form.generate.click(submit, form.inputs, None, **QUIET, trigger_mode="multiple")  # each click counts
    done.success(None, None, None, js="() => window.isengard.jobsChanged()", api_visibility="private")


def wire_fit(isengard: Isengard, form: ImageForm, load: Any) -> None:
    """Keep the fields as the base model, the LoRA and the workflow can use them; ``load`` is the page's own event."""
    more, start, compare = form.more, form.start, form.compare

    @handled
    def fit(base: str, first: str, *chosen: Any) -> list[Any]:
        return fitted(isengard, base, first, chosen)

    inputs = [more.base, form.picks[0], more.workflow, more.sampler, more.scheduler, start.picture]
    numbers = [more.width, more.height, more.steps, more.guidance]
    named = [more.workflow, more.sampler, more.scheduler, more.negative]
    start_targets = [start.box, start.reason, start.picture, start.upscale]
    targets = [*numbers, *named, *start_targets, compare.x.field, compare.y.field]
    gr.on([load, more.base.change, form.picks[0].change, more.workflow.change], fit, inputs, targets, **LATEST)


def fitted(isengard: Isengard, base: str, first: str, chosen: Sequence[Any]) -> list[Any]:
    """Return what follows from base model, LoRA and ``chosen``: workflow, sampler, scheduler, picture to start from."""
    workflow, sampler, scheduler, picture = chosen
    able = abilities(isengard, base, first, workflow or "")
    wanted = workflow if workflow in [choice.id for choice in able.workflows] else ""
    named = base_of(isengard, base, first)
    defaults = isengard.generation.defaults(named, with_lora=bool(first), workflow=wanted)
    greyed = [defaults.width, defaults.height, defaults.steps, defaults.guidance_scale]
    return [
        *(gr.Textbox(placeholder=str(value)) for value in greyed),
        _offered([OWN_WORKFLOW, *((choice.title, choice.id) for choice in able.workflows)], workflow),
        _offered(_named(able.samplers, defaults.sampler), sampler),
        _offered(_named(able.schedulers, defaults.scheduler), scheduler),
        gr.Textbox(visible=able.negative_prompt),
        *_start(able, isengard.models.get(defaults.base_model).row.name, picture),
        *[gr.Dropdown(choices=_comparable(able))] * 2,
    ]


def _offered(offers: choices.Choices, present: str | None) -> gr.Dropdown:
    """Return new offers; a field with nothing to choose is hidden, and one whose choice is gone falls back."""
    fallback: dict[str, Any] = {} if present in [value for _, value in offers] else {"value": ""}
    return gr.Dropdown(choices=offers, visible=len(offers) > 1, **fallback)


def _named(names: Sequence[str], default: str | None) -> choices.Choices:
    return [(f"Default ({default})", "") if default else DEFAULT, *((name, name) for name in names)]


def _start(able: Abilities, name: str, picture: str | None) -> list[Any]:
    can = "img2img" in able.tasks
    reason = f"{name} draws from words alone; another base model may start from a picture."
    text = "" if can else f'<p class="isg-muted">{html.escape(reason)}</p>'
    return [
        gr.Accordion(visible=can or bool(picture)),
        gr.HTML(value=text, visible=not can),
        gr.HTML(able=can),
        gr.Textbox(visible="upscale" in able.tasks),
    ]


def _comparable(able: Abilities) -> choices.Choices:
    offered = [(one.label, key) for key, one in SETTINGS.items() if key != "scheduler" or able.schedulers]
    return [NOTHING, *offered]


def chosen(isengard: Isengard, picked: list[str], base: str) -> list[gr.Dropdown]:
    """Return the drop-downs of LoRAs and base models with these choices."""
    return [*lora_choices(isengard, picked), choices.dropdown(choices.drawing(isengard), base)]


def offered(isengard: Isengard, picked: Sequence[str | None], base: str | None) -> list[gr.Dropdown]:
    """Return them with what is there now; choices that still exist are left alone."""
    loras = choices.loras(isengard)
    first, *rest = picked
    trained = loras[1:2] or loras[:1]  # what a fresh page starts with: the newest character that has a LoRA
    return [
        choices.refreshed(loras, first, trained[0][1] if first is None else None),
        *(choices.refreshed(further(loras), pick) for pick in rest),
        choices.refreshed(choices.drawing(isengard), base),
    ]
