"""The queue, the history, and the one worker that executes prompts and says so in the server's order of messages."""

from __future__ import annotations

import asyncio
import heapq
import json
import struct
import time
from typing import Any

from comfy_double import graph as graphs
from comfy_double import pictures
from comfy_double.acts import Acts
from comfy_double.failures import Interrupted, NodeFailed, details
from comfy_double.folders import Folders
from comfy_double.log import Log
from comfy_double.plan import PROGRESS_STATE
from comfy_double.saving import Saver
from comfy_double.sockets import Sockets

Item = tuple[float, str, dict[str, Any], dict[str, Any], list[str]]  # number, id, graph, extra data, outputs
GREEN = "\033[32m"
PREVIEW_METHODS = ("auto", "latent2rgb", "taesd")


class Engine:
    """Executes one prompt at a time, first the one with the smallest number."""

    def __init__(self, acts: Acts, folders: Folders, log: Log, sockets: Sockets, saver: Saver) -> None:
        self._acts, self._folders, self._log, self._sockets, self._saver = acts, folders, log, sockets, saver
        self.preview_method = "none"
        self.preview_size = 512
        self.waiting: list[Item] = []
        self.running: Item | None = None
        self.history: dict[str, dict[str, Any]] = {}
        self.interrupted = False
        self._free_asked = False
        self.client_id: str | None = None
        self.last_node: str | None = None
        self._results: dict[str, graphs.Result] = {}
        self._outputs: dict[str, dict[str, Any]] = {}
        self._fresh = asyncio.Event()

    @property
    def status(self) -> dict[str, Any]:
        remaining = len(self.waiting) + (self.running is not None)
        return {"status": {"exec_info": {"queue_remaining": remaining}}}

    def put(self, item: Item) -> None:
        heapq.heappush(self.waiting, item)
        self._sockets.send("status", self.status)
        self._fresh.set()

    def delete(self, prompt_id: str) -> bool:
        """Take a waiting prompt away; nobody is told but by the number in ``status``."""
        left = [item for item in self.waiting if item[1] != prompt_id]
        found = len(left) < len(self.waiting)
        if found:
            self.waiting = left
            heapq.heapify(self.waiting)
            self._sockets.send("status", self.status)
        return found

    def clear(self) -> None:
        self.waiting = []
        self._sockets.send("status", self.status)

    def interrupt_if_running(self, prompt_id: str) -> bool:
        running = self.running is not None and self.running[1] == prompt_id
        self.interrupted = self.interrupted or running
        return running

    async def work(self) -> None:
        """Execute what comes, for ever."""
        while True:
            await self._wait()
            item = self.running = heapq.heappop(self.waiting)
            self._sockets.send("status", self.status)
            self._acts.plan.note("started", prompt_id=item[1])
            started = time.perf_counter()
            await self._execute(item)
            self._log.say(f"Prompt executed in {time.perf_counter() - started:.2f} seconds", GREEN)
            self._free_if_asked()

    async def _wait(self) -> None:
        while True:
            self._free_if_asked()
            if self.waiting:
                await self._acts.at("begin", **_facts(self.waiting[0]))
            if self.waiting:  # still: it may have been deleted while we were slow
                return
            self._fresh.clear()
            await self._fresh.wait()

    def free(self) -> None:
        """Forget what is cached, at the end of the running prompt."""
        self._free_asked = True
        self._fresh.set()

    def _free_if_asked(self) -> None:
        if self._free_asked:
            self._results.clear()
            self._outputs.clear()
            self._free_asked = False

    async def _execute(self, item: Item) -> None:
        prompt = _Prompt(item)
        self.interrupted = False
        self.client_id = item[3].get("client_id")
        self._tell(prompt, "execution_start", {"prompt_id": item[1]})
        try:
            await self._nodes(prompt)
            self._tell(prompt, "execution_success", {"prompt_id": item[1]})
            prompt.success = True
        except NodeFailed as failure:
            said = details(failure, prompt.graph[prompt.at], prompt.at, prompt.done, list(prompt.graph))
            self._log.write("ERROR", f"!!! Exception during processing !!! {failure}")
            self._tell(prompt, "execution_error", {"prompt_id": item[1], **said})
        except Interrupted:
            self._log.say("Processing interrupted")
            where = {"node_id": prompt.at, "node_type": prompt.graph[prompt.at]["class_type"], "executed": prompt.done}
            self._tell(prompt, "execution_interrupted", {"prompt_id": item[1], **where})
        self.last_node = None
        await asyncio.sleep(0)  # here the real server has told of the end but not yet written the history
        special = await self._acts.at("before_history", **_facts(item))
        if "lose" not in special:
            self.history[item[1]] = prompt.entry()
        self.running = None
        self._sockets.send("status", self.status)
        self._acts.plan.note("finished", prompt_id=item[1], success=prompt.success)
        await self._acts.at("after_history", **_facts(item))
        if self.client_id is not None:
            self._sockets.send("executing", {"node": None, "prompt_id": item[1]}, self.client_id)

    async def _nodes(self, prompt: _Prompt) -> None:
        keys = self._known(prompt)
        cached = {name for name, key in keys.items() if key in self._results}
        prompt.results = {name: self._results[keys[name]] for name in cached}
        listed = [name for name in prompt.graph if name in cached]
        self._tell(prompt, "execution_cached", {"nodes": listed, "prompt_id": prompt.id})
        for name in prompt.outputs:
            if name in cached:
                self._executed(prompt, name, self._outputs[keys[name]])
                self._progress(prompt, name, 1, 1, "finished")
        for name in graphs.order(prompt.graph, prompt.outputs, cached):
            prompt.at = name
            await self._node(prompt, name)
            prompt.done.append(name)

    def _known(self, prompt: _Prompt) -> dict[str, str]:
        """Return what every node would be cached under."""
        made: dict[str, graphs.Result] = {}
        for name in graphs.needed(prompt.graph, prompt.outputs):
            before = {field: made[source] for field, (source, _slot) in graphs.links(prompt.graph[name]).items()}
            made[name] = graphs.result(prompt.graph[name], before, self._folders)
        return {name: result.key for name, result in made.items()}

    async def _node(self, prompt: _Prompt, name: str) -> None:
        node = prompt.graph[name]
        self._progress(prompt, name, 0.0, 1.0, "running")
        if self.client_id is not None:
            self.last_node = name
            self._say("executing", {"node": name, "display_node": name, "prompt_id": prompt.id})
        self._stop_if_asked()
        await asyncio.sleep(self._acts.plan.setting("node_seconds", 0))
        await self._misbehave("node", prompt, class_type=node["class_type"], node=name)
        before = {field: prompt.results[source] for field, (source, _slot) in graphs.links(node).items()}
        made = graphs.result(node, before, self._folders)
        if "lora_name" in node["inputs"]:
            made = graphs.after_lora(made, node, before, self._folders)
            for line in made.said:
                self._log.write("WARNING", line)
        total = made.steps if node["class_type"] in graphs.SAMPLERS else 0
        for step in range(1, total + 1):
            await self._step(prompt, name, step, total, made)
        if graphs.is_output(node):
            special = await self._misbehave("save", prompt, class_type=node["class_type"])
            saved = self._saver.save(node, before["images"], prompt.graph, prompt.extra, special)
            self._outputs[made.key] = saved
            self._executed(prompt, name, saved)
        prompt.results[name] = self._results[made.key] = made
        self._progress(prompt, name, total or 1.0, total or 1.0, "finished")

    async def _step(self, prompt: _Prompt, name: str, step: int, total: int, made: graphs.Result) -> None:
        await asyncio.sleep(self._acts.plan.setting("step_seconds", 0.01))
        self._stop_if_asked()
        await self._misbehave("step", prompt, step=step)
        self._log.bar(step, total)
        self._progress(prompt, name, step, total, "running")
        said = {"value": step, "max": total, "prompt_id": prompt.id, "node": name}
        with_metadata = self._sockets.wants_metadata(self.client_id)
        preview = self._preview(prompt, name, f"{made.ink}/{step}", made.size, with_metadata=with_metadata)
        if with_metadata and preview:
            self._sockets.send(4, preview, self.client_id)
        self._sockets.send("progress", said, self.client_id)
        if not with_metadata and preview:
            self._sockets.send(1, preview, self.client_id)

    def _preview(
        self, prompt: _Prompt, name: str, ink: str, size: tuple[int, int], *, with_metadata: bool
    ) -> bytes | None:
        if prompt.extra.get("preview_method", self.preview_method) not in PREVIEW_METHODS:
            return None
        picture = pictures.jpeg(ink, size, self.preview_size)
        if not with_metadata:
            return struct.pack(">I", 1) + picture
        where = json.dumps({**_where(prompt, name), "image_type": "image/jpeg"}).encode()
        return struct.pack(">I", len(where)) + where + picture

    async def _misbehave(self, at: str, prompt: _Prompt, **facts: Any) -> dict[str, Any]:
        special = await self._acts.at(at, **_facts(prompt.item), **facts)
        if "error" in special:
            rule = special["error"]
            raise NodeFailed.named(rule["error"]) if "error" in rule else NodeFailed(rule["type"], rule["message"])
        return special

    def _stop_if_asked(self) -> None:
        if self.interrupted:
            raise Interrupted

    def _progress(self, prompt: _Prompt, name: str, value: float, most: float, state: str) -> None:
        prompt.progress[name] = {"value": value, "max": most, "state": state, **_where(prompt, name)}
        if self._acts.plan.newer_than(PROGRESS_STATE):
            told = {"prompt_id": prompt.id, "nodes": dict(prompt.progress)}
            self._sockets.send("progress_state", told, self.client_id)

    def _executed(self, prompt: _Prompt, name: str, output: dict[str, Any]) -> None:
        prompt.made[name] = output
        self._say("executed", {"node": name, "display_node": name, "output": output, "prompt_id": prompt.id})

    def _tell(self, prompt: _Prompt, event: str, data: dict[str, Any]) -> None:
        """Say something that the history keeps; an interruption is told to everybody."""
        stamped = {**data, "timestamp": int(time.time() * 1000)}
        prompt.messages.append([event, stamped])
        if self.client_id is not None or event == "execution_interrupted":
            self._sockets.send(event, stamped, self.client_id)

    def _say(self, event: str, data: dict[str, Any]) -> None:
        if self.client_id is not None:
            self._sockets.send(event, data, self.client_id)


class _Prompt:
    """One execution while it lasts."""

    def __init__(self, item: Item) -> None:
        self.item = item
        _number, self.id, self.graph, self.extra, self.outputs = item
        self.results: dict[str, graphs.Result] = {}
        self.progress: dict[str, dict[str, Any]] = {}
        self.made: dict[str, dict[str, Any]] = {}
        self.messages: list[list[Any]] = []
        self.done: list[str] = []
        self.at = ""
        self.success = False

    def entry(self) -> dict[str, Any]:
        """Return what /history says of it."""
        outcome = {"status_str": "success" if self.success else "error", "completed": self.success}
        return {
            "prompt": list(self.item),
            "outputs": self.made,
            "status": {**outcome, "messages": self.messages},
            "meta": {
                name: {"node_id": name, "display_node": name, "parent_node": None, "real_node_id": name}
                for name in self.made
            },
        }


def _where(prompt: _Prompt, name: str) -> dict[str, Any]:
    return {
        "node_id": name,
        "prompt_id": prompt.id,
        "display_node_id": name,
        "parent_node_id": None,
        "real_node_id": name,
    }


def _facts(item: Item) -> dict[str, Any]:
    """Return what a rule can choose a prompt by: its id, seed, and all its text."""
    inputs = [node["inputs"] for node in item[2].values()]
    seeds = [given[name] for given in inputs for name in ("seed", "noise_seed") if name in given]
    texts = [str(given["text"]) for given in inputs if "text" in given]
    return {"prompt_id": item[1], "seed": seeds[0] if seeds else None, "text": "\n".join(texts)}
