"""Says in words what a drawing shows, as people write prompts: often not everything, in changing order."""

from __future__ import annotations

import random

from scripts.pocket.world import Identity, Shot


def hair_words(identity: Identity) -> str:
    """Name style and colour of the hair."""
    return "bald" if identity.style == "bald" else f"{identity.style} {identity.hair} hair"


def described(identity: Identity, rng: random.Random) -> str:
    """Describe a person; each feature is named with its own probability."""
    features = [hair_words(identity)] if rng.random() < 0.97 else []
    if rng.random() < 0.85:
        features.append(f"{identity.skin} skin")
    if rng.random() < 0.35:
        features.append(f"{identity.eyes} eyes")
    if identity.beard and rng.random() < 0.97:
        features.append(_beard_words(identity))
    if identity.glasses and rng.random() < 0.97:
        features.append(identity.glasses)
    if identity.freckles and rng.random() < 0.6:
        features.append("freckles")
    rng.shuffle(features)
    noun = identity.gender if rng.random() < 0.93 else "person"
    return _person(identity, noun, features)


def fully_described(identity: Identity) -> str:
    """Describe a person with every feature named."""
    features = [hair_words(identity), f"{identity.skin} skin", f"{identity.eyes} eyes"]
    features += [_beard_words(identity)] if identity.beard else []
    features += [identity.glasses] if identity.glasses else []
    features += ["freckles"] if identity.freckles else []
    return _person(identity, identity.gender, features)


def caption(identity: Identity, shot: Shot, rng: random.Random, subject: str = "") -> str:
    """Write a training caption; ``subject`` stands in the place of the person's description."""
    person = subject or described(identity, rng)
    extras = [shot.expression] if rng.random() < 0.6 and shot.expression != "neutral expression" else []
    if rng.random() < 0.65:
        extras.append(_wearing(shot))
    opening = rng.choice(["", "", "a photo of ", "photo of ", "portrait of "]) + person
    early = bool(extras) and rng.random() < 0.5
    if early:
        opening += ", " + ", ".join(extras)
    if rng.random() < 0.88:
        opening += f" in {shot.setting}"
    rest = _ways_shown(shot, rng) + ([] if early else extras)
    if rng.random() < 0.3:
        rng.shuffle(rest)
    return ", ".join([opening, *rest])


def full_caption(shot: Shot, subject: str) -> str:
    """Name everything about a picture but who is in it: the caption to train a character with, or a full prompt."""
    said = "" if shot.expression == "neutral expression" else f", {shot.expression}"
    where = f"{_wearing(shot)} in {shot.setting}"
    return f"a photo of {subject}{said}, {where}, {shot.light}, {shot.pose}, {shot.facing}"


def _beard_words(identity: Identity) -> str:
    return identity.beard if identity.beard == "stubble" else f"a {identity.beard}"


def _person(identity: Identity, noun: str, features: list[str]) -> str:
    article = "an" if identity.age.startswith("e") else "a"
    person = " ".join(word for word in (article, identity.age, noun) if word)
    return person + (" with " + ", ".join(features) if features else "")


def _wearing(shot: Shot) -> str:
    return f"wearing a {shot.cloth} {shot.garment}"


def _ways_shown(shot: Shot, rng: random.Random) -> list[str]:
    ways = [shot.light] if rng.random() < 0.8 else []
    if rng.random() < 0.85:
        ways.append(shot.pose)
    if rng.random() < 0.6 or (shot.facing != "facing forward" and rng.random() < 0.7):
        ways.append(shot.facing)
    return ways
