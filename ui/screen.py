"""Builds the page: head, drawer, four tabs, and what the script asks the forms to do."""

from __future__ import annotations

from typing import Any

import gradio as gr

from isengard.services.house import Isengard
from ui.components import choices
from ui.components.handler import LATEST, QUIET, handled
from ui.components.image_form import MIX, ImageForm
from ui.components.page_head import page_head
from ui.tabs import image, training
from ui.tabs.characters import characters_tab
from ui.tabs.training import TrainingForm
from ui.tabs.video import video_tab

TABS = ("characters", "training", "image", "video")
QUEUE_LENGTH = 200
AT_ONCE = 16
QUEUE_LOOK_SECONDS = 0.05  # as Gradio has it on Windows; its 0.001 elsewhere keeps an idle app at 5 % of a core


def build_ui(isengard: Isengard) -> gr.Blocks:
    """Return the screen. It asks the services each time: nothing is remembered here."""
    blocks = gr.Blocks(title="Isengard", analytics_enabled=False, fill_width=True)
    with blocks:
        bridge = page_head()
        with gr.Tabs(elem_id="tabs") as tabs:
            with gr.Tab("Characters", id="characters", elem_id="tab-characters"):
                characters_tab()
            with gr.Tab("Training", id="training", elem_id="tab-training"):
                form = training.training_tab(isengard)
            with gr.Tab("Image", id="image", elem_id="tab-image"):
                picture = image.image_tab(isengard)
            with gr.Tab("Video (In Development)", id="video", elem_id="tab-video"):
                video_tab()
        _wire_load(isengard, blocks, bridge, tabs, form, picture)
        _wire_bridge(isengard, bridge, tabs, form, picture)
    blocks.queue(default_concurrency_limit=AT_ONCE, max_size=QUEUE_LENGTH, api_open=False)
    blocks._queue.sleep_when_free = QUEUE_LOOK_SECONDS  # noqa: SLF001 - Gradio has no option for it
    return blocks


def _wire_load(
    isengard: Isengard, blocks: gr.Blocks, bridge: gr.HTML, tabs: gr.Tabs, form: TrainingForm, picture: ImageForm
) -> None:
    @handled
    def named(request: gr.Request) -> Any:
        wanted = request.query_params.get("tab")
        return gr.Tabs(selected=wanted) if wanted in TABS else gr.skip()

    @handled
    def fresh(character: str | None, trained: str | None, base: str | None, *picked: str | None) -> list[Any]:
        return [*training.offered(isengard, character, trained), *image.offered(isengard, picked, base)]

    fields = [form.character, form.base, picture.base, *picture.picks]
    targets = [form.character, form.base, *picture.picks, picture.base]
    blocks.load(named, None, tabs, **QUIET)
    gr.on([blocks.load, bridge.input], fresh, fields, targets, **LATEST)


def _wire_bridge(isengard: Isengard, bridge: gr.HTML, tabs: gr.Tabs, form: TrainingForm, picture: ImageForm) -> None:
    @handled
    def train(asked: gr.SelectData) -> list[Any]:
        return [gr.Tabs(selected="training"), training.chosen(isengard, asked.value)]

    @handled
    def use(asked: gr.SelectData) -> list[Any]:
        picked = image.chosen(isengard, [asked.value] + [""] * (MIX - 1), "")
        return [gr.Tabs(selected="image"), *picked]

    @handled
    def again(asked: gr.SelectData) -> list[Any]:
        settings = isengard.outputs.get(asked.value).settings
        uses = [(f"{choices.LORA}{use['id']}", use["strength"]) for use in settings.get("loras", ())]
        uses += [("", 1.0)] * (MIX - len(uses))
        picks = image.chosen(isengard, [pick for pick, _ in uses], settings.get("base_model") or "")[:-1]
        values = {**settings, "count": 1, "sampler": settings.get("sampler") or ""}
        strengths = [strength for _, strength in uses]
        return [gr.Tabs(selected="image"), *(values.get(name) for name in picture.named), *picks, *strengths]

    bridge.select(train, None, [tabs, form.character], **QUIET)
    bridge.apply(use, None, [tabs, *picture.picks, picture.base], **QUIET)
    bridge.edit(again, None, [tabs, *picture.inputs], **QUIET)
