"""Parameters that many routes share."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Header, Query

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        max_length=200,
        description="Send the same key again and you get what the first request made, not a second one.",
        examples=["b1f0c2c4-try-1"],
    ),
]
Cursor = Annotated[str | None, Query(description="`next` of the page before.", max_length=200)]
Limit = Annotated[int, Query(ge=1, le=200, description="Items a page.")]
Size = Annotated[Literal["thumb", "full"], Query(description="thumb: WebP of at most 320 px.")]
CharacterFilter = Annotated[str | None, Query(description="Only of this character.", max_length=80)]
LastEventId = Annotated[str | None, Header(alias="Last-Event-ID", description="Go on after this event.")]
