"""Zips of pictures: nothing is unpacked by its path, nothing larger is read than is allowed."""

from __future__ import annotations

import io
import struct
import zipfile

import pytest

from isengard.errors import InvalidInput
from isengard.infra import archive
from isengard.infra.archive import entries, is_junk

LIMIT = 2**20


def zipped(*files: tuple[str, bytes], **options: object) -> io.BytesIO:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, **options) as made:
        for name, content in files:
            made.writestr(name, content)
    return sink


def read(file: io.BytesIO) -> list[tuple[str, bytes, str]]:
    return [(e.name, e.content, e.trouble.message if e.trouble else "") for e in entries(file, LIMIT)]


def test_files_come_out_and_junk_does_not() -> None:
    given = zipped(
        ("set/a.jpg", b"A"),
        ("set/", b""),
        ("__MACOSX/set/._a.jpg", b"fork"),
        ("set/.DS_Store", b"junk"),
        ("set/._b.jpg", b"fork"),
        ("Thumbs.db", b"junk"),
        ("set/deep/er/c.txt", b"C"),
    )
    assert read(given) == [("set/a.jpg", b"A", ""), ("set/deep/er/c.txt", b"C", "")]


@pytest.mark.parametrize("name", ["../../up.jpg", "/etc/passwd", "C:\\windows\\x.jpg", "..\\up.jpg"])
def test_a_path_that_leaves_the_zip_is_only_a_name(name: str) -> None:
    assert [content for _, content, _ in read(zipped((name, b"X")))] == [b"X"]
    assert not is_junk(name)


def test_a_bomb_is_read_no_further_than_allowed() -> None:
    given = zipped(("bomb.png", bytes(64 * 2**20)), ("a.jpg", b"A"))
    assert len(given.getvalue()) < LIMIT
    assert read(given) == [("bomb.png", b"", "The file has more than 1 MB."), ("a.jpg", b"A", "")]


def test_a_bomb_that_lies_about_its_size_is_not_believed() -> None:
    content = bytearray(zipped(("bomb.png", bytes(8 * 2**20))).getvalue())
    at = content.find(b"PK\1\2")
    content[at + 24 : at + 28] = struct.pack("<I", 10)  # says ten bytes
    (found,) = read(io.BytesIO(bytes(content)))
    assert len(found[1]) <= LIMIT
    assert found[2] or found[1] == bytes(10)


def test_all_of_it_together_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_TOTAL_BYTES", 1000)
    with pytest.raises(InvalidInput, match="unpacks to more"):
        read(zipped(*((f"{n}.png", bytes(300)) for n in range(5))))


def test_too_many_files_are_told_before_they_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_ENTRIES", 3)
    with pytest.raises(InvalidInput, match="holds 4 files"):
        read(zipped(*((f"{n}.png", b"") for n in range(4))))
    monkeypatch.setattr(archive, "MAX_DIRECTORY_BYTES", 100)
    with pytest.raises(InvalidInput, match="too many files"):
        read(zipped(*((f"{n}.png", b"") for n in range(4))))


def test_a_zip_in_a_zip_a_link_and_a_locked_file_are_refused_one_by_one() -> None:
    link = zipfile.ZipInfo("link.jpg")
    link.external_attr = 0o120777 << 16
    sink = zipped(("inner.zip", zipped(("a.jpg", b"A")).getvalue()), ("a.jpg", b"A"))
    with zipfile.ZipFile(sink, "a") as made:
        made.writestr(link, "/etc/passwd")
    content = bytearray(sink.getvalue())
    at = content.find(b"PK\1\2", content.find(b"PK\1\2") + 1)  # the second entry's line in the list
    content[at + 8] |= 1
    messages = {name: message for name, _, message in read(io.BytesIO(bytes(content)))}
    assert messages == {
        "inner.zip": "A zip inside a zip is not opened.",
        "a.jpg": "The zip has a password.",
        "link.jpg": "This is a link, not a file.",
    }


def test_one_damaged_file_does_not_spoil_the_others() -> None:
    content = bytearray(zipped(("a.jpg", bytes(range(256)) * 40), ("b.jpg", b"B")).getvalue())
    content[60:80] = bytes(20)
    found = read(io.BytesIO(bytes(content)))
    assert found[0][2] == "The file is damaged inside the zip."
    assert found[1] == ("b.jpg", b"B", "")


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\3\4" + bytes(40), b"PK\5\6" + b"\xff" * 8])
def test_what_is_no_zip_is_told(content: bytes) -> None:
    with pytest.raises(InvalidInput):
        read(io.BytesIO(content))


def test_a_zip_cut_off_in_the_middle_is_told() -> None:
    content = zipped(("a.jpg", bytes(5000))).getvalue()
    for end in range(4, len(content), 7):
        with pytest.raises(InvalidInput):
            read(io.BytesIO(content[:end]))
