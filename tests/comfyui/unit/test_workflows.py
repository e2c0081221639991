"""Workflow files: ours, people's own, older ones, and what is wrong with the rest."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from isengard.domain.base_model import BaseModelRow
from isengard.errors import InvalidInput, NotFound
from plugins.comfyui.workflows import BUILTIN, BrokenWorkflow, Workflow, Workflows, load_workflow

FORMS = ("", "-img2img", "-upscale")
NAMES = (
    "flux-dev-lora",
    "flux-schnell",
    "flux2-klein-lora",
    "qwen-image-lora",
    "sd15-lora",
    "sdxl-lora",
    "z-image-lora",
    "z-image-turbo-lora",
)
EDITS = ("flux-kontext-edit", "flux2-klein-edit", "qwen-image-edit")


def export() -> dict[str, Any]:
    """What ComfyUI's "Export (API)" writes, with markers where a person can put them."""
    return {
        "3": {
            "class_type": "KSampler",
            "inputs": {
                "seed": 5,
                "steps": 33,
                "cfg": 4.5,
                "sampler_name": "ddim",
                "scheduler": "karras",
                "denoise": 1.0,
                "model": ["4", 0],
                "positive": ["6", 0],
                "negative": ["6", 0],
                "latent_image": ["5", 0],
            },
            "_meta": {"title": "KSampler STEPS_INJECT GUIDANCE_INJECT SAMPLER_INJECT"},
        },
        "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "mine.safetensors"}},
        "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 1024, "height": 1024, "batch_size": 1}},
        "6": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["4", 1], "text": "PROMPT_INJECT, film grain"}},
        "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
        "9": {"class_type": "SaveImage", "inputs": {"images": ["8", 0], "filename_prefix": "me"}},
    }


def base(model_id: str, family: str) -> BaseModelRow:
    rest = dict.fromkeys(("source", "license", "version", "purpose"), "x")
    return BaseModelRow(id=model_id, name=model_id, family=family, sha256="unverified", **rest)


def put(folder: Path, name: str, content: Any) -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def broken(folder: Path) -> BrokenWorkflow:
    (found,) = Workflows(BUILTIN, folder).broken()
    assert len(Workflows(BUILTIN, folder).all()) == len(Workflows().all()), "the others are unharmed"
    return found


def test_the_plans_own_test_of_flux_dev_lora() -> None:
    workflow = load_workflow("flux-dev-lora.json")
    assert "KSampler" in [n["class_type"] for n in workflow["nodes"]]
    assert "LoraLoader" in [n["class_type"] for n in workflow["nodes"]]
    assert "PROMPT_INJECT" in str(workflow)
    assert "LORA_INJECT" in str(workflow)


def test_every_family_has_its_three_forms() -> None:
    workflows = Workflows()
    assert workflows.broken() == ()
    forms = {f"{name}{form}" for name in NAMES for form in FORMS}
    assert {found.id for found in workflows.all()} == forms | set(EDITS)
    assert {workflows.get(name).task for name in EDITS} == {"edit"}
    tasks = {form: {workflows.get(f"{name}{form}").task for name in NAMES} for form in FORMS}
    assert tasks == {"": {"txt2img"}, "-img2img": {"img2img"}, "-upscale": {"upscale"}}


@pytest.mark.parametrize("name", [f"{name}{form}" for name in NAMES for form in FORMS])
def test_each_of_ours_takes_all_that_a_request_can_ask_of_it(name: str) -> None:
    workflow = load_workflow(name)
    asked = ["PROMPT", "LORA", "SEED", "STEPS", "GUIDANCE", "SAMPLER", "FILENAME_PREFIX"]
    asked += {"txt2img": ["WIDTH", "HEIGHT"], "img2img": ["WIDTH", "HEIGHT", "IMAGE", "DENOISE"]}.get(
        workflow["task"], ["UPSCALE_BY", "IMAGE", "DENOISE"]
    )
    asked += ["NEGATIVE"] if workflow["negative_prompt"] else []
    missing = [marker for marker in asked if f"{marker}_INJECT" not in str(workflow["nodes"])]
    assert missing == []
    assert ("NEGATIVE_INJECT" in str(workflow["nodes"])) == workflow["negative_prompt"]
    assert {"steps", "guidance_scale", "sampler"} <= set(workflow["defaults"])
    assert ("scheduler" in workflow["defaults"]) == ("SCHEDULER_INJECT" in str(workflow["nodes"]))


@pytest.mark.parametrize(
    ("model", "family", "expected"),
    [
        ("sd15", "sd15", "sd15-lora"),
        ("sdxl", "sdxl", "sdxl-lora"),
        ("flux-dev", "flux", "flux-dev-lora"),
        ("some-flux-finetune", "flux", "flux-dev-lora"),
        ("flux-schnell", "flux", "flux-schnell"),
        ("z-image-turbo", "z-image", "z-image-turbo-lora"),
        ("z-image", "z-image", "z-image-lora"),
        ("qwen-image", "qwen-image", "qwen-image-lora"),
        ("flux2-klein-4b", "flux2", "flux2-klein-lora"),
    ],
)
def test_each_base_model_is_given_its_workflow(model: str, family: str, expected: str) -> None:
    workflows = Workflows()
    for task, form in (("txt2img", ""), ("img2img", "-img2img"), ("upscale", "-upscale")):
        found = workflows.for_base(base(model, family), task)  # type: ignore[arg-type]
        assert found is not None
        assert found.id == f"{expected}{form}"


def test_a_family_without_a_workflow_is_given_none() -> None:
    assert Workflows().for_base(base("pocket", "pocket"), "txt2img") is None


def test_a_persons_export_appears_with_what_can_be_told_from_it(tmp_path: Path) -> None:
    put(tmp_path, "film-look.json", export())
    mine = Workflows(BUILTIN, tmp_path).get("film-look")
    assert mine == Workflow(
        id="film-look",
        title="Film look",
        task="txt2img",
        families=("sdxl",),
        defaults={"steps": 33, "guidance_scale": 4.5, "sampler": "ddim"},
        nodes=mine.nodes,
        builtin=False,
    )
    assert mine.fits(base("sdxl", "sdxl"))


def test_what_the_export_states_counts_more_than_guesses(tmp_path: Path) -> None:
    stated = {"title": "Mine", "families": ["sd15"], "base_models": ["my-model"], "defaults": {"steps": 7}}
    put(tmp_path, "a.json", {**export(), "isengard": stated})
    mine = Workflows(BUILTIN, tmp_path).get("a")
    assert (mine.title, mine.families, mine.base_models, mine.defaults) == (
        "Mine",
        ("sd15",),
        ("my-model",),
        {"steps": 7},
    )
    assert not mine.fits(base("sd15", "sd15"))
    assert Workflows(BUILTIN, tmp_path).for_base(base("my-model", "sd15"), "txt2img").id == "sd15-lora"  # type: ignore[union-attr]


def test_a_seed_is_marked_where_the_export_marks_none(tmp_path: Path) -> None:
    unmarked = load_workflow(put(tmp_path, "a.json", export()))
    assert unmarked["nodes"][0]["inputs"]["seed"] == "SEED_INJECT"
    marked = export()
    marked["3"]["_meta"]["title"] = "SEED_INJECT"
    assert load_workflow(put(tmp_path, "b.json", marked))["nodes"][0]["inputs"]["seed"] == 5


@pytest.mark.parametrize(
    ("change", "family"),
    [
        ({"4": {"class_type": "DualCLIPLoader", "inputs": {"type": "flux"}}}, "flux"),
        ({"4": {"class_type": "CLIPLoader", "inputs": {"type": "flux2"}}}, "flux2"),
        ({"4": {"class_type": "CLIPLoader", "inputs": {"type": "lumina2"}}}, "z-image"),
        ({"4": {"class_type": "CLIPLoader", "inputs": {"type": "qwen_image"}}}, "qwen-image"),
        ({"5": {"class_type": "EmptyLatentImage", "inputs": {"width": 512}}}, "sd15"),
        ({"4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "juggernautXL.safetensors"}}}, "sdxl"),
    ],
)
def test_the_family_of_an_export_is_read_from_its_nodes(tmp_path: Path, change: dict[str, Any], family: str) -> None:
    assert load_workflow(put(tmp_path, "a.json", export() | change))["families"] == [family]


@pytest.mark.parametrize(
    ("name", "content", "reason", "hint"),
    [
        ("cut.json", '{"3": {"class_', "cut.json is not valid JSON (line 1)", "Export"),
        ("list.json", "[1]", "list.json is no workflow", "Export (API)"),
        ("editor.json", {"nodes": [], "links": []}, "the format of ComfyUI's editor", "Export (API)"),
        ("empty.json", {}, "not in ComfyUI's API format", "Export (API)"),
        ("new.json", {"schema_version": 9}, "schema_version 9", "Update"),
        ("odd.json", {"schema_version": "1"}, "schema_version '1'", "Update"),
        ("bare.json", {"schema_version": 1}, "is a required property", "Correct"),
        ("a b.json", export(), "file name 'a b.json'", "Name it"),
        ("sdxl-lora.json", export(), "the name of a workflow of ours", "another name"),
    ],
)
def test_a_bad_file_is_named_with_reason_and_hint(
    tmp_path: Path, name: str, content: Any, reason: str, hint: str
) -> None:
    put(tmp_path, name, content)
    found = broken(tmp_path)
    assert found.file == tmp_path / name
    assert reason in found.reason
    assert hint in found.hint


def titled(title: str) -> dict[str, Any]:
    return {"8": export()["8"] | {"_meta": {"title": title}}}


LORA = {"class_type": "LoraLoader", "inputs": {"lora_name": "LORA_INJECT", "strength_model": 1.0, "strength_clip": 1.0}}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a fixed text"}}}, "PROMPT_INJECT stands nowhere"),
        ({"9": {"class_type": "VAEEncode", "inputs": {}}}, "no node gives a picture out"),
        (titled("PROMT_INJECT"), "PROMT_INJECT is no injection point"),
        (titled("SEED_INJECT"), "node 8 is titled SEED_INJECT but has no input seed"),
        (
            {"4": {"class_type": "LoadImage", "inputs": {"image": "x.png"}}, "5": {"class_type": "X", "inputs": {}}},
            "families",
        ),
        ({"10": LORA}, "node 10 has LORA_INJECT but is not LoraLoader"),
    ],
)
def test_an_export_that_cannot_serve_says_why(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    put(tmp_path, "a.json", export() | change)
    assert reason in broken(tmp_path).reason


def test_two_lora_nodes_in_line_are_refused(tmp_path: Path) -> None:
    first = {"class_type": "LoraLoader", "inputs": {**LORA["inputs"], "model": ["4", 0], "clip": ["4", 1]}}  # type: ignore[dict-item]
    second = {"class_type": "LoraLoader", "inputs": {**LORA["inputs"], "model": ["10", 0], "clip": ["10", 1]}}  # type: ignore[dict-item]
    put(tmp_path, "a.json", export() | {"10": first, "11": second})
    assert "every LoRA would count twice" in broken(tmp_path).reason


def test_two_nodes_of_one_id_are_refused(tmp_path: Path) -> None:
    content = load_workflow("sd15-lora")
    put(tmp_path, "a.json", content | {"nodes": [*content["nodes"], content["nodes"][0]]})
    assert "two nodes have the id 1" in broken(tmp_path).reason


def test_files_that_are_no_text_or_too_large_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "b.json").write_text(" " * 2_000_001)
    (tmp_path / "c.json").write_text("[" * 100_000)
    reasons = [found.reason for found in Workflows(BUILTIN, tmp_path).broken()]
    assert reasons == ["a.json is not valid JSON.", "b.json is too large for a workflow.", "c.json is not valid JSON."]


def test_a_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    workflows = Workflows(BUILTIN, tmp_path)
    path = put(tmp_path, "a.json", "{")
    assert [found.file for found in workflows.broken()] == [path]
    with pytest.raises(InvalidInput, match=r"a\.json is not valid JSON"):
        workflows.get("a")
    put(tmp_path, "a.json", export())
    assert workflows.broken() == ()
    assert workflows.get("a").title == "A"
    before = path.stat().st_mtime_ns
    put(tmp_path, "a.json", export() | {"isengard": {"title": "B"}})
    os.utime(path, ns=(before, before))  # the same time, another size
    assert workflows.get("a").title == "B"
    path.unlink()
    with pytest.raises(NotFound, match="no workflow 'a'"):
        workflows.get("a")


def test_a_folder_that_is_not_there_yet_is_no_error(tmp_path: Path) -> None:
    workflows = Workflows(BUILTIN, tmp_path / "later")
    assert workflows.broken() == ()
    (tmp_path / "later").mkdir()
    put(tmp_path / "later", "a.json", export())
    assert workflows.get("a").builtin is False


def test_threads_see_the_same(tmp_path: Path) -> None:
    put(tmp_path, "a.json", export())
    workflows = Workflows(BUILTIN, tmp_path)
    seen: list[int] = []
    threads = [threading.Thread(target=lambda: seen.append(len(workflows.all()))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [len(NAMES) * len(FORMS) + len(EDITS) + 1] * 16


@pytest.mark.parametrize("name", ["nope", "../sd15-lora", "/etc/passwd"])
def test_there_is_no_such_workflow(name: str) -> None:
    with pytest.raises((NotFound, InvalidInput)):
        load_workflow(name)
    with pytest.raises(NotFound):
        Workflows().get(name)
