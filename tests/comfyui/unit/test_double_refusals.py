"""The double refuses what the real server was seen to refuse, in its words, and misbehaves as it is told to."""

from __future__ import annotations

import contextlib
import io
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from comfy_double.listening import Listener
from comfy_double.process import Double
from comfy_double.talk import Talk, sd15
from PIL import Image


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Talk]:
    """One for all that is only refused."""
    with Double(tmp_path_factory.mktemp("refusing")) as double:
        double.model("checkpoints", "sd15_random.safetensors")
        yield Talk(double)


# --- refusals --------------------------------------------------------------------------------


def changed(node: str, name: str, value: Any) -> dict[str, Any]:
    graph = sd15()
    graph[node]["inputs"][name] = value
    return graph


def without(node: str, name: str = "") -> dict[str, Any]:
    graph = sd15()
    if name:
        del graph[node]["inputs"][name]
    else:
        del graph[node]
    return graph


IN_NODE = [
    (changed("1", "ckpt_name", "no"), "1", "value_not_in_list", "ckpt_name: 'no' not in ['sd15_random.safetensors']"),
    (changed("6", "sampler_name", "no"), "6", "value_not_in_list", "sampler_name: 'no' not in (list of length 44)"),
    (
        changed("6", "steps", "abc"),
        "6",
        "invalid_input_type",
        "steps, abc, invalid literal for int() with base 10: 'abc'",
    ),
    (changed("6", "steps", 0), "6", "value_smaller_than_min", "steps"),
    (changed("5", "width", 99999), "5", "value_bigger_than_max", "width"),
    (changed("6", "seed", 2**64), "6", "value_bigger_than_max", "seed"),
    (without("6", "seed"), "6", "required_input_missing", "seed"),
    (
        changed("6", "model", ["5", 0]),
        "6",
        "return_type_mismatch",
        "model, received_type(LATENT) mismatch input_type(MODEL)",
    ),
    (changed("6", "latent_image", ["99", 0]), "6", "exception_during_inner_validation", "'99'"),
    (changed("6", "latent_image", ["5", 7]), "6", "exception_during_inner_validation", "tuple index out of range"),
    (changed("2", "model", ["2", 0]), "2", "dependency_cycle", "2 (LoraLoader) -> 2 (LoraLoader)"),
]


@pytest.mark.parametrize(("graph", "node", "kind", "details"), IN_NODE)
def test_a_bad_node_is_named(refusing: Talk, graph: dict[str, Any], node: str, kind: str, details: str) -> None:
    answer = refusing.post(graph)
    assert answer.status_code == 400
    told = answer.json()
    assert told["error"]["type"] == "prompt_outputs_failed_validation"
    assert told["error"]["details"] == ""
    assert list(told["node_errors"]) == [node]
    assert told["node_errors"][node]["dependent_outputs"] == ["8"]
    assert [(error["type"], error["details"]) for error in told["node_errors"][node]["errors"]] == [(kind, details)]


IN_GRAPH = [
    ({**sd15(), "6": {"class_type": "Nope", "inputs": {}}}, "missing_node_type", "Node ID '#6'"),
    ({**sd15(), "6": {"inputs": {}}}, "missing_node_type", "Node ID '#6'"),
    (without("8"), "prompt_no_outputs", ""),
    ({}, "prompt_no_outputs", ""),
]


@pytest.mark.parametrize(("graph", "kind", "details"), IN_GRAPH)
def test_a_bad_graph_is_refused_as_a_whole(refusing: Talk, graph: dict[str, Any], kind: str, details: str) -> None:
    answer = refusing.post(graph)
    assert (answer.status_code, answer.json()["node_errors"]) == (400, {})
    assert (answer.json()["error"]["type"], answer.json()["error"]["details"]) == (kind, details)


def test_one_bad_output_beside_a_good_one_is_status_200(refusing: Talk) -> None:
    answer = refusing.post({**sd15(), "9": {"class_type": "SaveImage", "inputs": {"images": ["7", 0]}}})
    assert answer.status_code == 200
    assert answer.json()["node_errors"]["9"]["errors"][0]["details"] == "filename_prefix"


@pytest.mark.parametrize("wrong", ["x", str(uuid.UUID(int=0xABC)).upper(), 17])
def test_a_prompt_id_must_be_a_canonical_uuid(refusing: Talk, wrong: object) -> None:
    answer = refusing.post(sd15(), prompt_id=wrong)
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_prompt_id")


@pytest.mark.parametrize("content", [b"{x", b'{"prompt": [1]}'])
def test_nonsense_is_a_plain_500(refusing: Talk, content: bytes) -> None:
    answer = refusing.http.post("/prompt", content=content)
    assert (answer.status_code, answer.text) == (500, "500 Internal Server Error\n\nServer got itself in trouble")


# --- misbehaviour ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rule",
    [
        {"at": "request", "when": {"route": "POST /prompt"}},
        {"at": "accepted"},
        {"at": "step", "when": {"step": 2}},
        {"at": "before_history"},
        {"at": "after_history"},
    ],
)
def test_it_dies_where_it_is_told_to_and_once(talk: Talk, rule: dict[str, Any]) -> None:
    talk.double.plan.write({**rule, "do": "die"})
    with contextlib.suppress(httpx.TransportError):
        talk.submit(sd15())
    assert talk.double.process.wait(20) == -9
    talk.double.launch()
    talk.double.await_ready()
    assert talk.entry(talk.submit(sd15()))["status"]["completed"]


def test_rules_pass_over_what_they_skip_and_end_after_their_times(talk: Talk) -> None:
    talk.double.plan.write({"at": "request", "do": "status", "when": {"route": "GET /queue"}, "skip": 1, "times": 2})
    assert [talk.http.get("/queue").status_code for _ in range(4)] == [200, 500, 500, 200]
    assert len(talk.double.plan.journal("request", route="GET /queue")) == 4


def test_a_lost_prompt_is_nowhere(talk: Talk) -> None:
    talk.double.plan.write({"at": "prompt", "do": "lose"})
    prompt_id = talk.submit(sd15())
    assert talk.http.get("/queue").json() == {"queue_running": [], "queue_pending": []}
    assert talk.http.get(f"/history/{prompt_id}").json() == {}
    assert talk.double.plan.journal("started") == []


@pytest.mark.parametrize(("action", "closed"), [("drop", True), ("zombie", False), ("silent", False)])
def test_sockets_that_fall_silent(talk: Talk, me: Listener, action: str, closed: bool) -> None:
    talk.double.plan.write({"at": "message", "do": action, "when": {"type": "executing"}})
    talk.entry(talk.submit(sd15()))
    assert me.closed.wait(2 if closed else 0.2) is closed
    assert "at 5" not in me.shorthand()
    with Listener(talk.double.url, "other") as other:
        talk.submit(sd15(seed=7), client_id="other")
        assert "at 6" in other.until("at None")


@pytest.mark.parametrize("action", ["black", "constant", "nan", "truncated", "missing", "half_size"])
def test_spoiled_pictures(talk: Talk, action: str) -> None:
    talk.double.plan.write({"at": "save", "do": action})
    image = talk.entry(talk.submit(sd15()))["outputs"]["8"]["images"][0]
    answer = talk.http.get("/view", params=image)
    if action == "missing":
        assert answer.status_code == 404
    elif action == "truncated":
        with pytest.raises(OSError, match="truncated"):
            Image.open(io.BytesIO(answer.content)).load()
    else:
        with Image.open(io.BytesIO(answer.content)) as picture:
            assert picture.size == ((32, 48) if action == "half_size" else (64, 96))
            flat = all(low == high for low, high in picture.getextrema())
            assert flat is (action != "half_size")


def test_noise_on_the_socket(talk: Talk) -> None:
    talk.double.plan.write(
        {"at": "message", "do": "duplicate", "when": {"type": "executed"}},
        {"at": "message", "do": "foreign", "when": {"type": "execution_success"}},
    )
    with Listener(talk.double.url, "me") as me:
        prompt_id = talk.submit(sd15())
        tokens = me.until("at None")
        assert tokens.count("executed 8") == 2
        ids = [message["data"]["prompt_id"] for message in me.heard if message["type"] == "execution_success"]
        assert len(ids) == 2
        assert ids[0] != prompt_id == ids[1]
