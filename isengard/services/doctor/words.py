"""Words of captions: the trigger word and its misspellings, permanent traits, and what every caption says."""

from __future__ import annotations

import re
from typing import Literal

from isengard.services.trigger_word import ordinary_words

WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
Fault = Literal["missing", "misspelt", "inside"]
SHORT = 3  # letters: a trigger word this short is a part of many words by chance

COLOUR = (
    r"(?:blond|blonde|brown|black|dark|light|red|ginger|auburn|grey|gray|white|silver|green|blue|hazel|amber|pink|"
    r"purple|orange|golden|pale|copper|chestnut|brunette)"
)
LENGTH = r"(?:medium|shoulder|waist|chin)[- ]length"
HAIR = rf"(?:(?:long|short|curly|straight|wavy|afro|braided|thick|thin|{LENGTH}|{COLOUR})[ ,-]+)"
PERSON = r"(?:man|woman|person|girl|boy|lady|guy|male|female|adult|child)"
TRAITS = re.compile(
    r"\b(?:"
    rf"{HAIR}+hair(?:ed)?|bald(?: head)?|(?:blonde|brunette|redhead)(?!\w)|"
    rf"(?:(?:big|small|large|round|almond[- ]shaped)[ -])?{COLOUR}(?:[- ]{COLOUR})?[ -]eye[sd]|"
    r"(?:pale|fair|tan|tanned|dark|olive|light|brown|black|white|freckled)[ -]skin(?:ned)?|"
    r"freckles|dimples|wrinkles|birthmark|"
    rf"(?:(?:a|an|short|long|full|grey|{COLOUR})[ -])*(?:beard|moustache|mustache|stubble|goatee)|"
    rf"(?:young|old|elderly|middle[- ]aged|teenage|\d+[- ]years?[- ]old)(?= {PERSON}\b)"
    r")\b",
    re.IGNORECASE,
)
# Words that stand in captions of any picture: grammar, and what tells framing, light and view apart.
PLAIN_WORDS = """
a an the of in on at by with and or to for from as is are his her their its this that into over under near
photo photograph picture image shot portrait selfie snapshot close up headshot full half body upper view
wearing wears dressed facing looking front forward left right side camera viewer standing sitting
light lighting lit natural studio background blurred person man woman girl boy people face head
smiling smile neutral expression
"""
PLAIN = frozenset(PLAIN_WORDS.split())
OPENING = re.compile(
    rf"^((?:a|the) )?((?:photo|photograph|picture|image|portrait) of )(?:a |an |the )?{PERSON}\b", re.IGNORECASE
)


class Trigger:
    """The trigger word, and its rare part, such as 'ohwx' of 'ohwx person'."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.words = frozenset(WORD.findall(text.lower()))
        rare = [word for word in WORD.findall(text.lower()) if word not in ordinary_words()]
        self.rare = max(rare or [text.lower()], key=len)
        spaced = r"[\s_-]+".join(map(re.escape, text.split()))
        self._whole = re.compile(rf"(?<!\w){spaced}(?!\w)", re.IGNORECASE)

    def fault(self, caption: str) -> Fault | None:
        """Return what is wrong with the trigger word in a caption, or None."""
        if self._whole.search(caption):
            return None
        words = WORD.findall(caption.lower())
        if self.longer_words(caption):
            return "inside"
        if any(word == self.rare or self.resembles(word) for word in words):
            return "misspelt"
        return "missing"

    def longer_words(self, caption: str) -> list[str]:
        """Return the words that contain the rare part and more."""
        if len(self.rare) < SHORT:
            return []
        return [word for word in WORD.findall(caption.lower()) if self.rare in word and word != self.rare]

    def resembles(self, word: str) -> bool:
        """Tell whether a word is the rare part with one slip, or two in a longer word."""
        if len(self.rare) < SHORT or word in ordinary_words() or word in self.words:
            return False
        return slips(word, self.rare) <= (1 if len(self.rare) <= 5 else 2)


def with_trigger(trigger: Trigger, caption: str) -> str:
    """Return a caption with the trigger word in it: in the place of a misspelling, else where the person is named."""
    fault = trigger.fault(caption)
    if fault in {"misspelt", "inside"}:
        wrong = next(
            word
            for word in WORD.findall(caption)
            if word.lower() == trigger.rare or trigger.rare in word.lower() or trigger.resembles(word.lower())
        )
        rest = [word for word in WORD.findall(trigger.text.lower()) if word != trigger.rare]
        after = "".join(rf"(?:[\s_-]+{re.escape(word)}\b)?" for word in rest)
        return re.sub(rf"(?<!\w){re.escape(wrong)}(?!\w){after}", trigger.text, caption, count=1, flags=re.IGNORECASE)
    if fault == "missing":
        opened = OPENING.sub(lambda match: f"{match[1] or ''}{match[2]}{trigger.text}", caption, count=1)
        return opened if opened != caption else f"{trigger.text}, {caption}"
    return caption


def traits(caption: str) -> list[str]:
    """Return what a caption says of things that never change in a person."""
    return [match[0].strip() for match in TRAITS.finditer(caption)]


def without_traits(caption: str) -> str:
    """Return a caption without those words."""
    return _tidy(TRAITS.sub("\0", caption))


def without_word(caption: str, word: str) -> str:
    """Return a caption without a word, and without the article and preposition before it."""
    lead = r"(?:\b(?:in|on|at|with|by|near|wearing)\s+)?(?:\b(?:a|an|the)\s+)?"
    return _tidy(re.sub(rf"{lead}\b{re.escape(word)}\b", "\0", caption, flags=re.IGNORECASE))


def content_words(caption: str) -> list[str]:
    """Return the words that name a thing or how it is."""
    return [word for word in WORD.findall(caption.lower()) if word not in PLAIN and len(word) > 1]


def _tidy(text: str) -> str:
    """Close the gaps, each a NUL: joining words before one go with it, and so do doubled commas."""
    text = re.sub(r"(?:\b(?:with|has|having|and)\s+(?:an?\s+)?)?\0(?:\s*(?:,|and)\s*(?:an?\s+)?\0)*", "\0", text)
    text = re.sub(r"\s*\0\s*", " ", text)
    text = re.sub(r"(?:\s*,)+", ",", text)
    text = re.sub(r"\b(?:with|has|having|and)\s*(?=,|$)", "", text)
    return re.sub(r"\s*,\s*", ", ", " ".join(text.split())).strip(" ,")


def slips(one: str, other: str) -> int:
    """Return the least number of letters added, left out, changed or swapped (Damerau; optimal string alignment)."""
    rows = [list(range(len(other) + 1))]
    for i, letter in enumerate(one, start=1):
        row = [i]
        for j, wanted in enumerate(other, start=1):
            cost = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                cost = min(cost, rows[-2][j - 2] + 1)
            row.append(cost)
        rows.append(row)
    return rows[-1][-1]
