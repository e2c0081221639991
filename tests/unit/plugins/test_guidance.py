"""Guidance that ends before the picture does."""

from __future__ import annotations

from pathlib import Path

import pytest

from plugins.diffusers.engine.generate import guided
from plugins.diffusers.engine.pipeline import load


@pytest.mark.parametrize(("share", "at_once"), [(1.0, [2, 2, 2, 2]), (0.5, [2, 2, 1, 1]), (0.3, [2, 2, 1, 1])])
def test_each_step_is_guided_until_the_share_is_reached(project_root: Path, share: float, at_once: list[int]) -> None:
    pipe = load(str(project_root / "plugins" / "diffusers" / "pocket"), "cpu", training=False)
    sizes: list[int] = []
    pipe.unet.register_forward_pre_hook(lambda _unet, given: sizes.append(len(given[0])))
    for _ in range(2):  # the pipeline is kept warm, and begins anew each time
        pipe(
            "a man",
            num_inference_steps=4,
            guidance_scale=3.0,
            width=128,
            height=128,
            output_type="latent",
            **guided(pipe, share),
        )
    assert sizes == at_once * 2
