"""LoRAs in the formats that AI-Toolkit saves, on the real server: all of them applied, or refused before a picture."""

from __future__ import annotations

import pytest

from isengard.errors import BackendOutput, InvalidInput
from tests.comfyui import lora_files as files
from tests.comfyui.live.conftest import Real, apart

pytestmark = pytest.mark.comfyui


@pytest.mark.parametrize(
    ("base", "name"),
    [
        ("sd15", files.SD15),
        ("sd15", files.SD15_TEXT),
        ("sdxl", files.SDXL),
        ("sdxl", files.SDXL_TEXT),
        ("flux-dev", files.FLUX),
        ("flux-schnell", files.FLUX),
    ],
)
def test_all_of_a_lora_is_applied(real: Real, base: str, name: str) -> None:
    real.said.clear()
    assert apart(real.draw(base, [(name, 1.0)]), real.plain(base)) > 1
    assert real.complaints() == []


@pytest.mark.parametrize(("base", "name"), [("sd15", files.SD15), ("sdxl", files.SDXL), ("flux-dev", files.FLUX)])
def test_the_picture_follows_the_strength(real: Real, base: str, name: str) -> None:
    weak, strong = (real.draw(base, [(name, strength)]) for strength in (0.2, 1.0))
    assert 0 < apart(weak, real.plain(base)) < apart(strong, real.plain(base))
    assert apart(real.draw(base, [(name, 0.0)]), real.plain(base)) == 0


def test_two_loras_both_count(real: Real) -> None:
    one = real.draw("flux-dev", [(files.FLUX, 0.6)])
    other = real.draw("flux-dev", [(files.OTHER_FLUX, 0.6)])
    both = real.draw("flux-dev", [(files.FLUX, 0.6), (files.OTHER_FLUX, 0.6)])
    assert min(apart(both, one), apart(both, other), apart(one, other)) > 1


@pytest.mark.parametrize(
    ("base", "name", "said"),
    [
        ("sd15", files.FLUX, "FLUX"),
        ("sd15", files.SDXL, "SDXL"),
        ("sdxl", files.SD15, "1.5"),
        ("flux-dev", files.SD15, "1.5"),
        ("flux-dev", files.NONSENSE, ""),
        ("flux-dev", files.HALF_KNOWN, "nope"),
        ("flux-dev", files.TRUNCATED, ""),
    ],
)
def test_what_would_not_be_applied_whole_is_refused_before_a_picture(
    real: Real, base: str, name: str, said: str
) -> None:
    client = real.session.client
    before = client._send("GET", "/history").json().keys()
    with pytest.raises(InvalidInput) as refused:
        real.draw(base, [(name, 1.0)])
    assert said in refused.value.message
    assert refused.value.hint
    assert client._send("GET", "/history").json().keys() == before


@pytest.mark.parametrize(("base", "name"), [("sd15", files.FLUX), ("flux-dev", files.HALF_KNOWN)])
def test_what_the_server_leaves_out_is_heard_even_if_the_check_is_wrong(
    real: Real, base: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(real.images, "check_lora", lambda _path, _base: None)
    for _ in range(2):  # the second time the server keeps what it has and says nothing
        with pytest.raises(BackendOutput, match="did not load"):
            real.draw(base, [(name, 1.0)])


def test_strength_0_stands_for_no_lora_even_of_another_family_only_if_it_fits(real: Real) -> None:
    with pytest.raises(InvalidInput):
        real.draw("sd15", [(files.FLUX, 0.0)])
