"""Makes the pocket model from nothing: draws, trains, exports. Each step goes on where an earlier sitting stopped.

scripts/train_pocket                              on two cores, some hours
scripts/train_pocket --base-seconds 40000         train the same model longer
scripts/train_pocket --go-on --base-seconds 4000  train the shipped weights further
"""

from __future__ import annotations

import argparse
from pathlib import Path

from scripts.pocket.base import encode_drawings, start_from, train_base
from scripts.pocket.dataset import draw_named, draw_people, load
from scripts.pocket.decoder import DecoderTraining
from scripts.pocket.export import export
from scripts.pocket.faces import ROOT
from scripts.pocket.tokenizer import make_tokenizer
from scripts.pocket.vae import VaeTraining


def main() -> None:
    """Run all steps of the recipe."""
    given = _arguments()
    work: Path = given.work
    work.mkdir(parents=True, exist_ok=True)
    draw_people(work, given.drawings)
    draw_named(work)
    people = load(work, "people")
    if given.go_on:
        start_from(given.out, work)
        encode_drawings(work)
    make_tokenizer(work / "tokenizer", people.drawings)
    if not (work / "latents.pt").exists():  # from here on the encoder must stay as it is
        VaeTraining(work, people.pictures, given.vae_seconds).train()
    encode_drawings(work)
    train_base(work, given.base_seconds, given.text_seconds)
    DecoderTraining(work, given.decoder_seconds).train()
    export(work, given.out)
    print(f"The pocket model is in {given.out}. Measure it: python -m scripts.pocket.benchmark")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, prog="scripts/train_pocket"
    )
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "pocket", help="folder for what is on the way")
    parser.add_argument("--out", type=Path, default=ROOT / "plugins" / "diffusers" / "pocket", help="where it goes")
    parser.add_argument("--go-on", action="store_true", help="train the weights in --out further")
    parser.add_argument("--drawings", type=int, default=16000, help="people to draw")
    parser.add_argument("--vae-seconds", type=float, default=1800, help="for the autoencoder")
    parser.add_argument("--decoder-seconds", type=float, default=1200, help="for its decoder, when the rest is there")
    parser.add_argument("--text-seconds", type=float, default=100, help="for the text encoder alone")
    parser.add_argument("--base-seconds", type=float, default=14400, help="for text encoder and denoiser together")
    return parser.parse_args()


if __name__ == "__main__":
    main()
