"""The System tab: health, room, a clean-up by clicking, and the banner of a volume without room."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page


def test_it_shows_health_and_room_and_frees_the_cache(visit: Callable[..., Page], character: dict[str, Any]) -> None:
    from playwright.sync_api import expect

    page = visit("/?tab=system")
    expect(page.locator("#system-parts li")).to_have_count(9)
    expect(page.locator("#system-room")).to_contain_text("are used")
    with page.expect_response("**/api/system?fresh=true"):
        page.click("#system-again")  # room is measured once a minute, or when asked for
    expect(page.locator("#system-body")).to_contain_text("Hopper")
    expect(page.locator("#room-banner")).to_be_hidden()
    cache = page.locator("[data-rule=cache]")
    cache.get_by_role("button").click()
    expect(page.locator("#isg-toasts")).to_contain_text("are free again")  # it goes after five seconds
    expect(cache).to_contain_text("Nothing to free")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_tab_tells_that_there_is_no_room(
    visit: Callable[..., Page], tmp_path_factory: pytest.TempPathFactory, scheme: str
) -> None:
    from playwright.sync_api import expect

    from tests.ui.conftest import screen_of

    with screen_of(Path(tmp_path_factory.mktemp("full")), ISENGARD_MIN_FREE_DISK_GB="1000000") as url:
        page = visit(f"{url}/?tab=image", color_scheme=scheme)
        expect(page.locator("#room-banner")).to_contain_text("Jobs wait until there is room")
        page.click("#room-banner button")
        expect(page.locator("#system-parts")).to_contain_text("GB left")
        expect(page.locator("#system-view h2 + span")).to_contain_text("Something needs you")
