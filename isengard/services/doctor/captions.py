"""Whether captions and trigger word do their work: the word for the person, the rest for all else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from isengard.domain.checkup import Finding, Fix, Kind
from isengard.services.doctor.case import Case, Picture, found
from isengard.services.doctor.words import (
    WORD,
    Trigger,
    content_words,
    traits,
    with_trigger,
    without_traits,
    without_word,
)

ENOUGH = 5  # captions before a word can be called one that is in all of them
EVERYWHERE = 0.9


def check(case: Case) -> Iterator[Finding]:
    """Read the captions."""
    trigger = Trigger(case.character.trigger_word)
    written = [p for p in case.pictures if p.image.caption]
    yield from _missing(case, trigger)
    faults = {p.id: trigger.fault(p.image.caption) for p in written}

    def with_fault(name: str) -> list[Picture]:
        return [p for p in written if faults[p.id] == name]

    yield from _trigger(trigger, "trigger_missing", with_fault("missing"))
    yield from _trigger(trigger, "trigger_misspelt", with_fault("misspelt"))
    yield from _trigger(trigger, "trigger_inside", with_fault("inside"))
    yield from _confused(trigger, [p for p in written if faults[p.id] is None])
    yield from _traits(written)
    yield from _everywhere(trigger, written)


def _missing(case: Case, trigger: Trigger) -> Iterator[Finding]:
    bare = [p for p in case.pictures if not p.image.caption]
    if bare:
        text = f"a photo of {trigger.text}"
        yield found(
            "caption_missing",
            "warn",
            f"{len(bare)} picture{'s have' if len(bare) > 1 else ' has'} no caption",
            reason="Without a caption the LoRA learns clothes and place as parts of the person.",
            advice="Say what can change: clothes, place, light, expression. Leave out what cannot: the face, the hair.",
            evidence=[p.evidence() for p in bare],
            fix=_captions(bare, lambda _caption: text, f"Write “{text}”"),
            about=bare,
        )


def _trigger(trigger: Trigger, kind: Kind, pictures: Sequence[Picture]) -> Iterator[Finding]:
    if not pictures:
        return
    many = len(pictures) > 1
    titles = {
        "trigger_missing": f"{len(pictures)} caption{'s lack' if many else ' lacks'} the trigger word",
        "trigger_misspelt": f"The trigger word is misspelt in {len(pictures)} caption{'s' if many else ''}",
        "trigger_inside": f"The trigger word is stuck to other letters in {len(pictures)} caption{'s' if many else ''}",
    }
    reasons = {
        "trigger_missing": f"The person is learned under “{trigger.text}”; these pictures are learned under no name.",
        "trigger_misspelt": f"Only “{trigger.text}”, letter for letter, is one and the same word to the model.",
        "trigger_inside": f"A longer word has other tokens: the model does not see “{trigger.text}” there.",
    }
    yield found(
        kind,
        "warn",
        titles[kind],
        reason=reasons[kind],
        evidence=[p.evidence(note=p.image.caption) for p in pictures],
        fix=_captions(pictures, lambda caption: with_trigger(trigger, caption), f"Write “{trigger.text}”"),
        about=pictures,
    )


def _confused(trigger: Trigger, pictures: Sequence[Picture]) -> Iterator[Finding]:
    inside = {word for p in pictures for word in trigger.longer_words(p.image.caption)}
    if inside:
        some = [p for p in pictures if trigger.longer_words(p.image.caption)]
        yield found(
            "trigger_inside",
            "note",
            "The trigger word is a part of other words",
            reason=f"“{trigger.rare}” is also inside {', '.join(f'“{word}”' for word in sorted(inside))}. Such words "
            "may share tokens with it, and then pull the person into prompts that do not mean them.",
            advice="Choose a rarer trigger word, or other words in these captions.",
            evidence=[p.evidence(note=p.image.caption) for p in some],
            about=some,
        )


def _traits(pictures: Sequence[Picture]) -> Iterator[Finding]:
    some = [p for p in pictures if traits(p.image.caption)]
    if not some:
        return
    named = Counter(trait.lower() for p in some for trait in traits(p.image.caption))
    listed = ", ".join(f"“{trait}”" for trait, _ in named.most_common(5))
    yield found(
        "trait_described",
        "warn",
        f"{len(some)} caption{'s describe' if len(some) > 1 else ' describes'} what never changes",
        reason=f"{listed}: what is named is learned under its own words instead of the trigger word, and is gone when "
        "a prompt does not say it.",
        advice="Name such a thing only where it differs from how the person always looks.",
        evidence=[p.evidence(note=p.image.caption) for p in some],
        fix=_captions(some, without_traits, "Take these words out"),
        about=some,
    )


def _everywhere(trigger: Trigger, pictures: Sequence[Picture]) -> Iterator[Finding]:
    count = Counter(word for p in pictures for word in set(content_words(p.image.caption)) - trigger.words)
    if len(pictures) < ENOUGH:
        return
    for word in sorted(word for word, number in count.items() if number >= EVERYWHERE * len(pictures)):
        some = [p for p in pictures if word in WORD.findall(p.image.caption.lower())]
        yield found(
            "word_everywhere",
            "warn",
            f"“{word}” is in {'every caption' if count[word] == len(pictures) else 'nearly every caption'}",
            reason=f"It is in {count[word]} of {len(pictures)}. What always stands beside the trigger word is learned "
            "as a second trigger word.",
            advice="If the thing is in all pictures, vary the pictures; if not, take the word out.",
            evidence=[p.evidence(note=p.image.caption) for p in some][:6],
            fix=_captions(some, partial(_without, word), f"Take “{word}” out"),
            about=some,
        ).model_copy(update={"id": f"word_everywhere.{word}"})


def _without(word: str, caption: str) -> str:
    return without_word(caption, word)


def _captions(pictures: Sequence[Picture], change: Callable[[str], str], label: str) -> Fix:
    texts = {p.id: change(p.image.caption) for p in pictures}
    return Fix(action="caption", label=label, image_ids=tuple(texts), captions=texts)
