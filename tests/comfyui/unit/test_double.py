"""The double says what the real server was seen to say. The conversations below are recorded from ComfyUI 0.33.0.

In shorthand: ``#2=5 0/1r`` is progress_state with two nodes told of, the newest of them 5, at 0 of 1, running.
"""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from comfy_double.listening import Listener
from comfy_double.process import Double
from comfy_double.seen import pixels
from comfy_double.talk import Talk, flux, heard, sd15
from PIL import Image

START = "status 1 | status 1 | execution_start | "
END = "execution_success | status 0 | at None"
SD15 = (
    "cached  | #1=1 0/1r | at 1 | #1=1 1/1f | #2=5 0/1r | at 5 | #2=5 1/1f | #3=2 0/1r | at 2 | #3=2 1/1f | "
    "#4=4 0/1r | at 4 | #4=4 1/1f | #5=3 0/1r | at 3 | #5=3 1/1f | #6=6 0/1r | at 6 | "
    "#6=6 1/2r | 6 1/2 | preview 1 | #6=6 2/2r | 6 2/2 | preview 1 | #6=6 2/2f | "
    "#7=7 0/1r | at 7 | #7=7 1/1f | #8=8 0/1r | at 8 | executed 8 | #8=8 1/1f | "
)
SD15_AGAIN = "cached 1,2,3,4,5,6,7,8 | executed 8 | #1=8 1/1f | "
SD15_WITH_METADATA = (
    "cached 1,2,3,4,5 | #1=6 0/1r | at 6 | #1=6 1/2r | preview 4 | 6 1/2 | #1=6 2/2r | preview 4 | 6 2/2 | "
    "#1=6 2/2f | #2=7 0/1r | at 7 | #2=7 1/1f | #3=8 0/1r | at 8 | executed 8 | #3=8 1/1f | "
)
FLUX_ORDER = "3 12 1 4 7 11 10 2 5 6 8 9 13 14 15"
CANCELLED = (
    "cached 1,2,3,4,5 | #1=6 0/1r | at 6 | status 2 | status 3 | #1=6 1/40r | 6 1/40 | preview 1 | status 2 | "
    "execution_interrupted 6 | status 1 | at None | status 1 | execution_start | cached 1,2,3,4,5 | #1=6 0/1r"
)
UNHEARD = (
    "status 1 | status 1 | #1=6 0/1r | #1=6 1/2r | 6 1/2 | preview 1 | #1=6 2/2r | 6 2/2 | preview 1 | #1=6 2/2f | "
    "#2=7 0/1r | #2=7 1/1f | #3=8 0/1r | #3=8 1/1f | status 0"
)
Start = Callable[..., Double]


# --- conversations ---------------------------------------------------------------------------


def test_a_prompt_is_told_as_the_real_server_tells_it(talk: Talk, me: Listener) -> None:
    me.until("status 0 sid")
    prompt_id = str(uuid.uuid4())
    extra = {"isengard": {"n": 1}, "extra_pnginfo": {"isengard": {"generation_id": "g1"}}}
    assert talk.submit(sd15(), prompt_id=prompt_id, extra_data=extra) == prompt_id
    assert heard(me) == "status 0 sid | " + START + SD15 + END
    about = [message["data"] for message in me.heard if "prompt_id" in message["data"]]
    assert {data["prompt_id"] for data in about} == {prompt_id}
    entry = talk.entry(prompt_id)
    number, name, graph, told, outputs = entry["prompt"]
    assert (number, name, graph, outputs) == (0, prompt_id, sd15(), ["8"])
    assert told.pop("create_time") > 1.7e12
    assert told == {**extra, "client_id": "me"}
    image = {"filename": "img_00001_.png", "subfolder": "isengard", "type": "output"}
    assert entry["outputs"] == {"8": {"images": [image]}}
    assert [name for name, _ in entry["status"]["messages"]] == [
        "execution_start",
        "execution_cached",
        "execution_success",
    ]
    assert entry["meta"] == {"8": {"node_id": "8", "display_node": "8", "parent_node": None, "real_node_id": "8"}}
    file = talk.http.get("/view", params=image)
    assert file.headers["content-type"] == "image/png"
    with Image.open(io.BytesIO(file.content)) as picture:
        assert picture.size == (64, 96)
        assert json.loads(picture.text["prompt"]) == sd15()  # type: ignore[attr-defined]
        assert json.loads(picture.text["isengard"]) == {"generation_id": "g1"}  # type: ignore[attr-defined]


def test_a_rerun_is_answered_from_the_cache_with_the_old_file(talk: Talk, me: Listener) -> None:
    first = talk.entry(talk.submit(sd15()))
    me.until("at None")
    before = len(me.heard)
    second = talk.entry(talk.submit(sd15()))
    assert heard(me, after=before) == START + SD15_AGAIN + END
    assert second["outputs"] == first["outputs"]


def test_a_client_that_asks_for_it_gets_previews_with_their_prompt(talk: Talk) -> None:
    talk.entry(talk.submit(sd15(seed=1)))
    wish = {"type": "feature_flags", "data": {"supports_preview_metadata": True}}
    with Listener(talk.double.url, "other", wish) as other:
        other.until("feature_flags")
        prompt_id = talk.submit(sd15(seed=2), client_id="other")
        assert heard(other) == "status 0 sid | feature_flags | " + START + SD15_WITH_METADATA + END
        preview = next(message["data"] for message in other.heard if message["type"] == "preview 4")
        assert (preview["node_id"], preview["prompt_id"], preview["image_type"]) == ("6", prompt_id, "image/jpeg")
        assert preview["image"].startswith(b"\xff\xd8\xff")


def test_a_flux_graph_runs_in_the_recorded_order(talk: Talk, me: Listener) -> None:
    talk.entry(talk.submit(flux()))
    order = [token.removeprefix("at ") for token in me.until("at None") if token.startswith("at ")]
    assert order == [*FLUX_ORDER.split(), "None"]


def test_cancelling_one_of_three_leaves_the_others(talk: Talk, me: Listener) -> None:
    talk.entry(talk.submit(sd15(seed=1)))
    me.until("at None")
    before = len(me.heard)
    talk.double.plan.write(step_seconds=2)
    running = talk.submit(sd15(seed=2, steps=40))
    me.until("at 6", after=before)
    waiting, third = (talk.submit(sd15(seed=seed, steps=1)) for seed in (3, 4))
    me.until("preview 1", after=before)
    queue = talk.http.get("/queue").json()
    assert [row[1] for row in queue["queue_running"]] == [running]
    assert [row[1] for row in queue["queue_pending"]] == [waiting, third]
    assert [talk.http.get(f"/api/jobs/{job}").json()["status"] for job in (running, waiting)] == [
        "in_progress",
        "pending",
    ]
    assert talk.http.get(f"/history/{running}").json() == {}
    assert talk.http.post("/interrupt", json={"prompt_id": third}).content == b""  # not running: not hit
    assert talk.http.post("/queue", json={"delete": [waiting]}).content == b""
    talk.http.post("/interrupt", json={"prompt_id": running})
    assert talk.entry(third)["status"]["completed"]
    assert heard(me, after=before).startswith(START + CANCELLED)
    assert talk.http.get(f"/api/jobs/{waiting}").json() == {"error": "Job not found"}
    status = talk.entry(running)["status"]
    assert (status["status_str"], status["messages"][-1][0]) == ("error", "execution_interrupted")
    assert talk.http.get(f"/api/jobs/{running}").json()["status"] == "cancelled"


def test_cancelling_through_jobs_is_idempotent(talk: Talk, me: Listener) -> None:
    talk.double.plan.write(step_seconds=0.4)
    prompt_id = talk.submit(sd15(steps=40))
    me.until("preview 1")
    said = [talk.http.post(f"/api/jobs/{job}/cancel").json() for job in (prompt_id, prompt_id, str(uuid.uuid4()))]
    assert said[0] == {"cancelled": True}
    assert said[2] == {"cancelled": False}
    talk.entry(prompt_id)
    assert talk.http.post("/api/jobs/cancel", json={"job_ids": [prompt_id]}).json() == {"cancelled": False}


def test_without_a_client_id_everybody_hears_a_part(talk: Talk, me: Listener) -> None:
    talk.entry(talk.submit(sd15(seed=1)))
    me.until("at None")
    before = len(me.heard)
    talk.http.post("/prompt", json={"prompt": sd15(seed=2)})
    assert heard(me, "status 0", before) == UNHEARD


@pytest.mark.parametrize(
    ("graph", "rules", "ending", "kind"),
    [
        (sd15(lora="corrupt.safetensors"), [], "at 2 | execution_error 2 | status 0 | at None", "SafetensorError"),
        (
            sd15(),
            [{"at": "node", "do": "error", "error": "cpu_oom", "when": {"class_type": "EmptyLatentImage"}}],
            "#2=5 0/1r | at 5 | execution_error 5 | status 0 | at None",
            "RuntimeError",
        ),
        (
            sd15(),
            [{"at": "node", "do": "error", "error": "wrong_vae", "when": {"class_type": "VAEDecode"}}],
            "#7=7 0/1r | at 7 | execution_error 7 | status 0 | at None",
            "RuntimeError",
        ),
    ],
)
def test_a_node_that_fails(
    talk: Talk, me: Listener, graph: dict[str, Any], rules: list[dict[str, Any]], ending: str, kind: str
) -> None:
    talk.double.plan.write(*rules)
    entry = talk.entry(talk.submit(graph))
    assert heard(me).endswith(ending)
    assert entry["status"]["status_str"] == "error"
    name, told = entry["status"]["messages"][-1]
    assert name == "execution_error"
    assert told["exception_type"].endswith(kind)
    assert told["exception_message"].endswith("\n")


# --- files -----------------------------------------------------------------------------------


def test_pictures_change_with_what_they_are_made_of_and_with_nothing_else(talk: Talk) -> None:
    plain = talk.picture(sd15(strength=0.0))
    assert pixels(plain) == pixels(talk.picture({**sd15(strength=0.0), **_saved_as("other")}))
    others = [sd15(seed=2, strength=0.0), sd15(strength=1.0), sd15(strength=0.5)]
    assert len({pixels(plain), *(pixels(talk.picture(graph)) for graph in others)}) == 4


def test_a_lora_of_another_family_changes_nothing_and_is_only_said_in_the_log(talk: Talk) -> None:
    plain = talk.picture(sd15(strength=0.0))
    assert pixels(talk.picture(sd15(lora="flux.safetensors"))) == pixels(plain)
    said = [entry["m"] for entry in talk.http.get("/internal/logs/raw").json()["entries"]]
    warnings = [line for line in said if "lora key not loaded: transformer.x.lora_A.weight" in line]
    assert len(warnings) == 2
    assert all(line.startswith("\x1b[1m\x1b[33m[WARNING]\x1b[0m ") for line in warnings)
    for line in ("got prompt", "Prompt executed in ", "To see the GUI go to: http://127.0.0.1:"):
        assert line in talk.double.log


def test_uploads_and_views(talk: Talk) -> None:
    def send(name: str, content: bytes, **more: str) -> httpx.Response:
        return talk.http.post("/upload/image", files={"image": (name, content)}, data=more)

    assert send("a.png", b"1").json() == {"name": "a.png", "subfolder": "", "type": "input"}
    assert send("a.png", b"1").json()["name"] == "a.png"
    assert send("a.png", b"2").json()["name"] == "a (1).png"
    assert send("a.png", b"3", overwrite="true").json()["name"] == "a.png"
    assert send("c.png", b"1", subfolder="x/y", type="temp").json() == {
        "name": "c.png",
        "subfolder": "x/y",
        "type": "temp",
    }
    assert send("e.png", b"1", subfolder="../..").status_code == 400
    asked = [{}, {"filename": "no.png"}, {"filename": "../x"}, {"filename": "/x"}, {"filename": "x", "type": "no"}]
    assert [talk.http.get("/view", params=one).status_code for one in asked] == [404, 404, 400, 400, 400]
    assert talk.http.get("/view", params={"filename": "a.png", "type": "input"}).content == b"3"


def test_models_are_listed_anew_each_time(talk: Talk) -> None:
    assert talk.http.get("/models/checkpoints").json() == ["sd15_random.safetensors"]
    talk.double.model("checkpoints", "new/one.safetensors")
    assert "new/one.safetensors" in talk.http.get("/api/models/checkpoints").json()
    assert talk.http.get("/models/unet").status_code == 404
    offered = talk.http.get("/object_info/LoraLoader").json()["LoraLoader"]["input"]["required"]["lora_name"][0]
    assert offered == ["corrupt.safetensors", "flux.safetensors", "sd15.safetensors"]


def test_a_browser_from_elsewhere_is_kept_out(talk: Talk) -> None:
    codes = [talk.http.get("/queue", headers={"origin": one}).status_code for one in ("http://evil", talk.double.url)]
    assert codes == [403, 200]


# --- starting and versions -------------------------------------------------------------------


def test_a_taken_port_and_an_unknown_flag_end_the_start(double: Start, talk: Talk) -> None:
    rival = Double(talk.double.base.parent / "rival")
    rival.port = talk.double.port
    assert rival.launch().wait(30) == 1
    assert f"Port {rival.port} is already in use on address 127.0.0.1" in rival.log
    stranger = Double(talk.double.base.parent / "stranger", "--no-such-flag")
    assert stranger.launch().wait(30) == 2


def test_an_old_server_has_no_jobs_and_takes_any_prompt_id(double: Start) -> None:
    talk = Talk(double(version="0.3.75"))
    assert talk.submit(sd15(), prompt_id="not-a-uuid") == "not-a-uuid"
    assert talk.entry("not-a-uuid")["status"]["completed"]
    assert talk.http.get("/api/jobs").status_code == 404
    assert talk.http.post("/api/jobs/not-a-uuid/cancel").status_code == 404
    assert talk.http.get("/system_stats").json()["system"]["comfyui_version"] == "0.3.75"
    assert "\x1b[" not in talk.double.log


def test_a_still_older_one_mints_ids_and_interrupts_whatever_runs(double: Start) -> None:
    talk = Talk(double(version="0.3.40"))
    assert talk.submit(sd15(), prompt_id="mine") != "mine"
    talk.double.plan.write(step_seconds=0.2)
    with Listener(talk.double.url, "me") as me:
        running = talk.submit(sd15(seed=9, steps=200))
        me.until("6 1/200")
        talk.http.post("/interrupt", json={"prompt_id": "another"})
        assert talk.entry(running)["status"]["status_str"] == "error"
        assert not [token for token in me.shorthand() if token.startswith("#")]


def _saved_as(prefix: str) -> dict[str, Any]:
    return {"8": {"class_type": "SaveImage", "inputs": {"images": ["7", 0], "filename_prefix": prefix}}}
