"""No secret reaches a log, wherever it hides."""

from __future__ import annotations

import pytest

from isengard.observability.redaction import REDACTED, redact, redact_value


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("hf_abcDEF123", f"hf_{REDACTED}"),
        ("HF_TOKEN=hf_abc", "HF_TOKEN=***"),
        ("key sk-proj-a1_b2 used", f"key sk-{REDACTED} used"),
        ("ghp_16C7e42F292c69", f"ghp_{REDACTED}"),
        ("rpa_ABC123", f"rpa_{REDACTED}"),
        ("/Users/zara/x.jpg", "/[HOME]/x.jpg"),
        ("open /home/zara/photos/a.jpg", "open /[HOME]/photos/a.jpg"),
        ("GET /x?token=abc&size=2", "GET /x?token=***&size=2"),
        ("?access_token=abc#x", "?access_token=***"),
        ("password=hunter2, next", "password=***, next"),
        ("REDIS_PASSWORD=hunter2", "REDIS_PASSWORD=***"),
        ('{"password": "hunter2", "a": 1}', '{"password": "***", "a": 1}'),
        ("{'api_key': 'hunter2', 'a': 1}", "{'api_key': '***', 'a': 1}"),
        ("x-api-key: hunter2", "x-api-key: ***"),
        ("token%3Dhunter2", "token=***"),
        ("/x?next=password%253Dhunter2", "/x?next=password=***"),
        ("%2Fhome%2Fzara%2Fa.jpg", "/[HOME]/a.jpg"),
        ('{"password": "two words"}', '{"password": "***"}'),
        ('{"password": "cut off', '{"password": "***'),
        (r'"{\"api_key\": \"hunter2\", \"a\": 1}"', r'"{\"api_key\": \"***\", \"a\": 1}"'),
        (r"first\nsk-abc123", rf"first\nsk-{REDACTED}"),
        ("Cookie: a=b; isengard=abc.def", "Cookie: ***"),
        ("isengard=abc.d-e_f; Path=/", "isengard=***; Path=/"),
        ("sent bearer abc.def.ghi", "sent bearer ***"),
        ("in /home/zara", "in /[HOME]/"),
        (r"C:\Users\Zara Doe\a.jpg", "C:/[HOME]/a.jpg"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("{'Authorization': 'Basic YWJj'}", "{'Authorization': 'Basic ***'}"),
        ("redis://:hunter2@host:6379/0", "redis://:***@host:6379/0"),
        ("rediss://user:hunt@r2@host/0", "rediss://user:***@host/0"),
    ],
)
def test_a_secret_in_a_text_is_replaced(text: str, clean: str) -> None:
    assert redact(text) == clean


@pytest.mark.parametrize(
    "text",
    [
        "the disk-full test of task-12 and mask-3",
        "train-0193abc finished in 3 s",
        "tokens: 77",
        "http://h/a%20b%2Fc",
        "50% of /homes/x and /home/",
        "the bearer of a ring",
        "http://127.0.0.1:7860/api/jobs",
        "a portrait of ohwx person, smiling",
        "Zoë — 日本",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


def test_nested_values_are_cleaned_and_keep_their_shape() -> None:
    found = redact_value(
        {
            "password": "hunter2",
            "x-api-key": "abc",
            "HF_TOKEN": None,
            "nested": [{"url": "redis://u:hunter2@h"}, ("hf_abc", 1, 2.5, True, None)],
            "hf_inKey": {"ok"},
            "error": ValueError("token=abc"),
        }
    )
    assert found == {
        "password": "***",
        "x-api-key": "***",
        "HF_TOKEN": "***",
        "nested": [{"url": "redis://u:***@h"}, [f"hf_{REDACTED}", 1, 2.5, True, None]],
        f"hf_{REDACTED}": ["ok"],
        "error": "token=***",
    }


def test_the_value_that_came_in_is_left_as_it_was() -> None:
    given = {"password": "hunter2", "list": ["hf_abc"]}
    redact_value(given)
    assert given == {"password": "hunter2", "list": ["hf_abc"]}
