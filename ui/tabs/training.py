"""The Training tab: what to train and how on the left, how it goes on the right, what came of it below."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any, NamedTuple

import gradio as gr

from isengard.domain.request import TrainingConfig, TrainingRequest
from isengard.errors import InvalidInput
from isengard.services.house import Isengard
from isengard.services.training import TrainingPlan
from ui.components import choices
from ui.components.fields import number_field
from ui.components.handler import LATEST, QUIET, answered, handled
from ui.components.view import view

PRESETS = [("Quick", "quick"), ("Balanced", "balanced"), ("Best", "best")]
# Name in TrainingConfig, label, explanation.
NUMBERS = (
    ("steps", "Steps", "How long it learns. Too few: no likeness. Too many: every picture looks like a photo it saw."),
    ("learning_rate", "Learning rate", "How large each step is. Halve it when the loss jumps about."),
    ("lora_rank", "Rank", "How much the LoRA can hold. Higher learns finer detail and makes a larger file."),
    ("lora_alpha", "Alpha", "How strongly the LoRA acts; usually the same as the rank."),
    ("batch_size", "Batch size", "Pictures a step. More is steadier and takes more memory."),
    ("gradient_accumulation", "Gradient accumulation", "Batches a step: a larger batch without the memory."),
    ("resolution", "Resolution", "Edge in pixels that pictures are trained at; a multiple of 8."),
    ("save_every", "Checkpoint every", "Steps between saves that a broken run goes on from."),
    ("sample_every", "Sample every", "Steps between sample pictures."),
    ("seed", "Seed", "The same seed and settings train the same LoRA."),
)
FIRST_PRESET = "balanced"


class TrainingForm(NamedTuple):
    """The tab's fields, for those who fill them from elsewhere."""

    character: gr.Dropdown
    base: gr.Dropdown
    preset: gr.Radio
    numbers: list[gr.Textbox]
    flip: gr.Checkbox
    prompts: gr.Textbox
    about: gr.HTML
    plan: gr.HTML

    @property
    def inputs(self) -> list[Any]:
        """In the order that ``_request`` reads them."""
        return [self.character, self.base, self.preset, self.flip, self.prompts, *self.numbers]


def training_tab(isengard: Isengard) -> TrainingForm:
    """Draw the tab and wire it."""
    with gr.Row(elem_classes=["isg-columns"]):
        with gr.Column(scale=2, min_width=320, elem_classes=["isg-panel"]):
            form = _fields()
            start = gr.Button("Start training", variant="primary", elem_id="training-start")
        with gr.Column(scale=3, min_width=320):
            view("training")
    view("loras")
    _wire(isengard, form, start)
    return form


def _fields() -> TrainingForm:
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
    with gr.Accordion("Advanced settings", open=False, elem_id="training-advanced"):
        gr.HTML(
            '<p class="isg-muted">An empty field takes the value of the preset, shown in grey.</p>',
            apply_default_css=False,
            elem_classes=["isg-html"],
        )
        numbers = _number_fields()
        flip = gr.Checkbox(
            value=True,
            label="Train on mirrored copies too",
            info="Switch off when left and right matter, as with a scar or a parting.",
            elem_id="training-flip",
        )
        prompts = gr.Textbox(
            label="Sample prompts",
            lines=2,
            info="One a line, at most 8; empty: the trigger word alone.",
            elem_id="training-prompts",
        )
    plan = gr.HTML(apply_default_css=False, elem_id="training-plan", elem_classes=["isg-html"])
    return TrainingForm(character, base, preset, numbers, flip, prompts, about, plan)


def _number_fields() -> list[gr.Textbox]:
    fields = []
    for place in range(0, len(NUMBERS), 2):
        with gr.Row():
            fields += [
                number_field(label, info, f"training-{name.replace('_', '-')}")
                for name, label, info in NUMBERS[place : place + 2]
            ]
    return fields


def _wire(isengard: Isengard, form: TrainingForm, start: gr.Button) -> None:
    @answered
    def plan(*values: Any) -> str:
        if not values[0]:
            return ""
        return _plan_markup(isengard.training.plan(_request(values)))

    @handled
    def submit(*values: Any) -> None:
        isengard.training.submit(_request(values))
        gr.Info("It goes on when you close this page.", title="Training is in the queue", duration=5)

    @handled
    def explain(base: str, preset: str) -> list[Any]:
        if not base:
            return [""] + [gr.skip()] * len(NUMBERS)
        config = isengard.training.presets(base)[preset]
        greyed = [gr.Textbox(placeholder=str(getattr(config, name))) for name, _, _ in NUMBERS]
        return [choices.licence(isengard.models.get(base).row), *greyed]

    explained = [form.about, *form.numbers]
    gr.on([form.base.change, form.preset.change], explain, [form.base, form.preset], explained, **LATEST)
    gr.on([each.change for each in form.inputs], plan, form.inputs, form.plan, **LATEST)
    started = start.click(submit, form.inputs, None, **QUIET)
    started.success(None, None, None, js="() => window.isengard.jobsChanged()", api_visibility="private")


def chosen(isengard: Isengard, character: str) -> gr.Dropdown:
    """Return the drop-down of characters with one chosen."""
    return choices.dropdown(choices.characters(isengard), character)


def offered(isengard: Isengard, character: str | None, base: str | None) -> list[gr.Dropdown]:
    """Return the two drop-downs with what is there now; choices that still exist are left alone."""
    people, models = choices.characters(isengard), choices.trainable(isengard)
    return [choices.refreshed(people, character), choices.refreshed(models, base)]


def _request(values: Sequence[Any]) -> TrainingRequest:
    character, base, preset, flip, prompts, *numbers = values
    if not character:
        raise InvalidInput("No character is chosen.", "Make one in the Characters tab, then choose it here.")
    typed = {name: number for (name, _, _), number in zip(NUMBERS, numbers, strict=True) if number}
    lines = tuple(line.strip() for line in (prompts or "").splitlines() if line.strip())
    config = TrainingConfig.model_validate(
        {"base_model": base or "", "preset": preset, "flip": flip, "sample_prompts": lines, **typed}
    )
    return TrainingRequest(character_id=character, config=config)


def _plan_markup(plan: TrainingPlan) -> str:
    config, needs = plan.request.config, plan.needs
    count = plan.character.image_count
    pictures = f"{count} {'picture' if count == 1 else 'pictures'}"
    name, backend = html.escape(plan.character.name), html.escape(plan.backend)
    memory = f"{max(needs.vram_gb, needs.ram_gb):.1f} GB of memory"
    batches = f"batches of {config.batch_size} at {config.resolution} pixels"
    facts = [
        f"<strong>{config.steps:,} steps</strong> on <strong>{pictures}</strong> of {name}",
        f"Rank {config.lora_rank}, learning rate {config.learning_rate:g}, {batches}",
        f"A checkpoint every {config.save_every} steps, a sample every {config.sample_every}",
        f"Needs about {memory} and {needs.disk_gb:.1f} GB of disk; trained by {backend}",
    ]
    rows = "".join(f"<li>{fact}</li>" for fact in facts)
    advice = "".join(f'<p class="isg-advice">{html.escape(line)}</p>' for line in plan.advice)
    return f'<div class="isg-note plan"><h3>The plan</h3><ul>{rows}</ul>{advice}</div>'
