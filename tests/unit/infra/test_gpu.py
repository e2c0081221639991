"""The arbiter: what fits together runs together, the rest waits in line and says for whom."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from isengard.domain.lease import Needs, Stop
from isengard.errors import Cancelled, OutOfMemory, OutOfVram
from isengard.infra.gpu import Arbiter, Gpu, find_gpu

Wait = Callable[..., None]


class Client:
    """A job on a thread of its own that holds its lease until it is told to let go."""

    def __init__(self, arbiter: Arbiter, name: str, gb: float, log: list[str]) -> None:
        self.name = name
        self.needs = Needs(ram_gb=gb, vram_gb=gb)
        self.log = log
        self.stop = Stop()
        self.waited: list[str] = []
        self.done = threading.Event()
        self.held = threading.Event()
        self.ended = ""
        self._arbiter = arbiter
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            with self._arbiter.lease(self.name, f"training of {self.name}", self.needs, self.stop, self.waited.append):
                self.log.append(self.name)
                self.held.set()
                self.done.wait(20)
            self.ended = "done"
        except Cancelled:
            self.ended = "cancelled"

    def let_go(self) -> None:
        self.done.set()
        self._thread.join(10)


@pytest.fixture
def arbiter() -> Arbiter:
    return Arbiter(None, 4.0, lambda: None)


def test_jobs_that_fit_together_run_together(arbiter: Arbiter) -> None:
    log: list[str] = []
    clients = []
    for name in ("one", "two"):
        clients.append(Client(arbiter, name, 2, log))
        assert clients[-1].held.wait(10)
    assert [client.waited for client in clients] == [[], []]
    for client in clients:
        client.let_go()


def test_a_job_that_does_not_fit_waits_and_says_for_whom(arbiter: Arbiter, eventually: Wait) -> None:
    log: list[str] = []
    first = Client(arbiter, "one", 3, log)
    assert first.held.wait(10)
    second = Client(arbiter, "two", 3, log)
    eventually(lambda: second.waited)
    assert second.waited == ["Waiting for the memory: training of one"]
    assert not second.held.is_set()
    first.let_go()
    assert second.held.wait(10)
    second.let_go()
    assert log == ["one", "two"]


def test_those_who_wait_are_served_in_the_order_they_came(arbiter: Arbiter, eventually: Wait) -> None:
    log: list[str] = []
    first = Client(arbiter, "first", 4, log)
    assert first.held.wait(10)
    waiting = []
    for name, gb in (("large", 3), ("small", 1), ("large too", 3)):
        waiting.append(Client(arbiter, name, gb, log))
        eventually(lambda: waiting[-1].waited)
    first.let_go()
    assert all(client.held.wait(10) for client in waiting[:2])
    assert log[0] == "first"
    assert set(log[1:]) == {"large", "small"}
    assert not waiting[2].held.is_set()
    waiting[0].let_go()
    assert waiting[2].held.wait(10)
    for client in waiting:
        client.let_go()


def test_a_small_job_does_not_overtake_a_large_one_that_waits(arbiter: Arbiter, eventually: Wait) -> None:
    log: list[str] = []
    first = Client(arbiter, "first", 3, log)
    assert first.held.wait(10)
    large, small = Client(arbiter, "large", 4, log), None
    eventually(lambda: large.waited)
    small = Client(arbiter, "small", 1, log)
    eventually(lambda: small.waited)
    first.let_go()
    assert large.held.wait(10)
    large.let_go()
    small.let_go()
    assert log == ["first", "large", "small"]


def test_a_job_cancelled_while_it_waits_leaves_the_line(arbiter: Arbiter, eventually: Wait) -> None:
    log: list[str] = []
    first = Client(arbiter, "first", 4, log)
    assert first.held.wait(10)
    second = Client(arbiter, "second", 4, log)
    eventually(lambda: second.waited)
    third = Client(arbiter, "third", 4, log)
    eventually(lambda: third.waited)
    second.stop.cancel.set()
    eventually(lambda: second.ended == "cancelled")
    first.let_go()
    assert third.held.wait(10)
    third.let_go()
    assert log == ["first", "third"]


def test_what_idles_is_asked_to_make_room() -> None:
    asked: list[str] = []
    arbiter = Arbiter(None, 4.0, lambda: asked.append("x"))
    with arbiter.lease("one", "one", Needs(ram_gb=4), Stop(), print):
        stop = Stop()
        stop.cancel.set()
        assert asked == []
        waiting = Client(arbiter, "two", 4, [])
        while not asked:
            waiting.held.wait(0.01)
    assert waiting.held.wait(10)
    waiting.let_go()


def test_a_lease_is_given_back_when_its_job_fails(arbiter: Arbiter) -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match="boom"), arbiter.lease("one", "one", Needs(ram_gb=4), Stop(), print):
            raise ValueError("boom")


def test_what_can_never_fit_is_refused_at_once(arbiter: Arbiter) -> None:
    with pytest.raises(OutOfMemory, match=r"needs 5\.0 GB of memory; the budget is 4\.0 GB") as told:
        arbiter.check(Needs(ram_gb=5))
    assert "ISENGARD_MEMORY_BUDGET_GB" in told.value.hint
    with pytest.raises(OutOfMemory), arbiter.lease("one", "one", Needs(ram_gb=5), Stop(), print):
        pytest.fail("it got a lease")


def test_a_gpu_has_a_budget_of_its_own(eventually: Wait) -> None:
    arbiter = Arbiter(Gpu("Test GPU", 24.0), 64.0, lambda: None)
    with pytest.raises(OutOfVram, match="the Test GPU has 24 GB"):
        arbiter.check(Needs(vram_gb=32))
    log: list[str] = []
    first = Client(arbiter, "first", 20, log)
    assert first.held.wait(10)
    second = Client(arbiter, "second", 20, log)
    eventually(lambda: second.waited)
    assert second.waited == ["Waiting for the GPU: training of first"]
    first.let_go()
    assert second.held.wait(10)
    second.let_go()


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("echo 'NVIDIA RTX 4090, 24564'", Gpu("NVIDIA RTX 4090", 24.0)),
        ("echo 'One, 16384'; echo 'Two, 8192'", Gpu("One", 16.0)),
        ("exit 9", None),
        ("true", None),
    ],
)
def test_the_gpu_is_what_the_driver_s_tool_says(
    answer: str, found: Gpu | None, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "nvidia-smi"  # type: ignore[operator]
    tool.write_text(f"#!/bin/sh\n{answer}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert find_gpu() == found


def lease_once(arbiter: Arbiter, needs: Needs) -> list[str]:
    """Take a lease and give it back at once; return what was said while it waited."""
    said: list[str] = []
    with arbiter.lease("job", "a job", needs, Stop(), said.append):
        return said


def test_runs_of_one_server_share_its_memory(arbiter: Arbiter) -> None:
    server = Needs(ram_gb=3, backend="server", shared=True)
    with arbiter.lease("one", "first picture", server, Stop(), lambda _said: None):
        assert lease_once(arbiter, server) == []  # 3 GB and 3 GB in 4 GB: it is the same server


def test_what_idle_backends_keep_is_given_back_before_another_needs_it() -> None:
    released: list[str] = []
    kept = Needs(ram_gb=3, backend="server", shared=True)
    arbiter = Arbiter(None, 4.0, lambda: released.append("server"), lambda: [kept])
    assert lease_once(arbiter, Needs(ram_gb=1, backend="other")) == []
    assert released == []  # both fit
    assert lease_once(arbiter, Needs(ram_gb=2, backend="other")) == []
    assert released == ["server"]


def test_a_backend_need_not_give_back_what_its_own_run_will_use() -> None:
    released: list[str] = []
    kept = Needs(ram_gb=3, backend="server")
    arbiter = Arbiter(None, 4.0, lambda: released.append("server"), lambda: [kept])
    assert lease_once(arbiter, Needs(ram_gb=3, backend="server")) == []
    assert released == []
