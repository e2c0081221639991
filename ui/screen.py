"""Builds the page: head, drawer, six tabs, and what the script asks the forms to do."""

from __future__ import annotations

from typing import Any

import gradio as gr

from isengard.services.house import Isengard
from ui.components.handler import LATEST, QUIET, handled
from ui.components.image_again import LARGER, settings_again, start_from
from ui.components.image_form import MIX, ImageForm
from ui.components.page_head import page_head
from ui.components.start_from import going_on
from ui.tabs import image, training
from ui.tabs.characters import characters_tab
from ui.tabs.models import models_tab
from ui.tabs.system import system_tab
from ui.tabs.training import TrainingForm
from ui.tabs.video import video_tab

TABS = ("characters", "training", "image", "models", "video", "system")
QUEUE_LENGTH = 200
AT_ONCE = 16
QUEUE_LOOK_SECONDS = 0.05  # as Gradio has it on Windows; its 0.001 elsewhere keeps an idle app at 5 % of a core


def build_ui(isengard: Isengard, *, guarded: bool = False) -> gr.Blocks:
    """Return the screen. It asks the services each time: nothing is remembered here."""
    blocks = gr.Blocks(title="Isengard", analytics_enabled=False, fill_width=True)
    with blocks:
        bridge = page_head(guarded=guarded)
        with gr.Tabs(elem_id="tabs") as tabs:
            with gr.Tab("Characters", id="characters", elem_id="tab-characters"):
                characters_tab()
            with gr.Tab("Training", id="training", elem_id="tab-training"):
                form = training.training_tab(isengard)
            with gr.Tab("Image", id="image", elem_id="tab-image"):
                picture = image.image_tab(isengard)
            with gr.Tab("Models", id="models", elem_id="tab-models"):
                models_tab()
            with gr.Tab("Video (In Development)", id="video", elem_id="tab-video"):
                video_tab()
            with gr.Tab("System", id="system", elem_id="tab-system"):
                system_tab()
        _wire_load(isengard, blocks, bridge, tabs, form, picture)
        _wire_training(isengard, bridge, tabs, form)
        _wire_pictures(isengard, bridge, tabs, picture)
    blocks.queue(default_concurrency_limit=AT_ONCE, max_size=QUEUE_LENGTH, api_open=False)
    blocks._queue.sleep_when_free = QUEUE_LOOK_SECONDS  # noqa: SLF001 - Gradio has no option for it
    return blocks


def _wire_load(
    isengard: Isengard, blocks: gr.Blocks, bridge: gr.HTML, tabs: gr.Tabs, form: TrainingForm, picture: ImageForm
) -> None:
    @handled
    def named(request: gr.Request) -> list[Any]:
        tab, start = (request.query_params.get(name) for name in ("tab", "start"))
        other = tab in TABS[1:]  # the first is open already: to say so again might come after a person's own choice
        return [gr.Tabs(selected=tab) if other else gr.skip(), start or gr.skip()]

    @handled
    def fresh(character: str | None, trained: str | None, base: str | None, *picked: str | None) -> list[Any]:
        return [*training.offered(isengard, character, trained), *image.offered(isengard, picked, base)]

    fields = [form.character, form.base, picture.more.base, *picture.picks]
    targets = [form.character, form.base, *picture.picks, picture.more.base]
    blocks.load(named, None, [tabs, picture.start.picture], **QUIET)
    gr.on([blocks.load, bridge.input], fresh, fields, targets, **LATEST)
    training.wire_start(isengard, form, blocks.load, bridge.input)
    image.wire_fit(isengard, picture, blocks.load)


def _wire_training(isengard: Isengard, bridge: gr.HTML, tabs: gr.Tabs, form: TrainingForm) -> None:
    @handled
    def train(asked: gr.SelectData) -> list[Any]:
        return [gr.Tabs(selected="training"), training.chosen(isengard, asked.value)]

    @handled
    def go_on(asked: gr.SelectData) -> list[Any]:
        return [gr.Tabs(selected="training"), *going_on(isengard, asked.value)]

    bridge.select(train, None, [tabs, form.character], **QUIET)
    bridge.like(go_on, None, [tabs, form.character, form.base, form.start], **QUIET)


def _wire_pictures(isengard: Isengard, bridge: gr.HTML, tabs: gr.Tabs, picture: ImageForm) -> None:
    @handled
    def use(asked: gr.SelectData) -> list[Any]:
        picked = image.chosen(isengard, [asked.value] + [""] * (MIX - 1), "")
        return [gr.Tabs(selected="image"), *picked]

    @handled
    def again(asked: gr.SelectData) -> list[Any]:
        return [gr.Tabs(selected="image"), *settings_again(isengard, picture, asked.value)]

    @handled
    def start(asked: gr.SelectData) -> list[Any]:
        return start_from(isengard, picture, asked.value)

    @handled
    def enlarge(asked: gr.SelectData) -> list[Any]:
        return start_from(isengard, picture, asked.value, LARGER)

    @handled
    def seed(asked: gr.SelectData) -> list[str]:
        return ["fixed", str(asked.value)]

    bridge.apply(use, None, [tabs, *picture.picks, picture.more.base], **QUIET)
    whole = [*picture.inputs, picture.shape]
    bridge.edit(again, None, [tabs, *whole], **QUIET)
    bridge.option_select(start, None, whole, **QUIET)
    bridge.expand(enlarge, None, whole, **QUIET)
    bridge.copy(seed, None, [picture.more.seed_mode, picture.more.seed], **QUIET)
