"""The pocket model's own tokenizer: CLIP's kind, learnt from its captions, able to spell any word in bytes."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import CLIPTokenizer

from scripts.pocket.captions import caption
from scripts.pocket.dataset import Drawing

LENGTH = 48  # tokens of a prompt, its start and end included
END = "<|endoftext|>"
CAPTIONS, SEED, ENTRIES = 6000, 3, 1400
# Words that people use in prompts, though the drawings do not: they should not fall into single letters.
WORDS = """
a an the of in on at with and or to for from by near under over person man woman boy girl people human face portrait
photo photograph picture image painting drawing cinematic detailed realistic high quality best professional editorial
magazine vintage film kitchen restaurant museum gym stadium subway train station airport rooftop desert lake river
waterfall jungle castle church temple bridge bookstore market library studio space spaceship underwater night day
sunset sunrise dawn dusk morning evening rainy sunny cloudy foggy snow winter summer autumn spring lighting light soft
hard warm cold dramatic cinematic natural golden hour neon candlelight backlit rim moody bright dark shadow full body
half upper close up wide angle shot medium headshot profile side view sitting standing walking running smiling laughing
serious angry sad happy surprised wearing shirt hat glasses suit dress jacket coat armor knight astronaut wizard king
queen superhero pirate elf cyberpunk fantasy style oil watercolor anime cartoon sketch pixar black white blurred
background bokeh depth field hair eyes skin beard
"""
PIECES = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"  # as CLIP cuts text before it looks up entries


def make_tokenizer(folder: Path, drawings: list[Drawing]) -> None:
    """Learn the entries from captions of the drawings and write the tokenizer; does nothing when it is there."""
    if (folder / "tokenizer.json").exists():
        return
    rng = random.Random(SEED)
    captions = [caption(one.identity, one.shot, rng) for one in drawings[:CAPTIONS]]
    learnt = json.loads(_learn(captions + [" ".join(WORDS.split())] * 40).to_str())["model"]
    vocabulary = dict(learnt["vocab"])
    for letter in sorted(pre_tokenizers.ByteLevel.alphabet()):
        vocabulary.setdefault(f"{letter}</w>", len(vocabulary))
    merges = [tuple(pair.split(" ")) if isinstance(pair, str) else tuple(pair) for pair in learnt["merges"]]
    made = CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=LENGTH)
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    made.save_pretrained(str(partial))
    partial.replace(folder)


def load_tokenizer(folder: Path) -> Any:
    """Return the tokenizer."""
    return CLIPTokenizer.from_pretrained(str(folder), model_max_length=LENGTH)


def token_ids(tokenizer: Any, captions: list[str]) -> Any:
    """Return a tensor [captions, 48]."""
    return tokenizer(captions, padding="max_length", truncation=True, max_length=LENGTH, return_tensors="pt").input_ids


def _learn(texts: list[str]) -> Any:
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>", continuing_subword_prefix="", unk_token=END))
    spaces = normalizers.Replace(Regex(r"\s+"), " ")
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), spaces, normalizers.Lowercase()])
    pieces = pre_tokenizers.Split(Regex(PIECES), behavior="removed", invert=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pieces, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    trainer = trainers.BpeTrainer(
        vocab_size=ENTRIES,
        special_tokens=["<|startoftext|>", END],
        end_of_word_suffix="</w>",
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        min_frequency=5,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer
