"""The owner's password and sessions."""

from __future__ import annotations

import json
import stat

import pytest

from isengard.errors import InvalidInput
from isengard.infra.storage import Storage
from isengard.services import owner as owner_module
from isengard.services.owner import Owner


@pytest.fixture
def made(storage: Storage) -> tuple[Owner, str]:
    owner = Owner(storage)
    password = owner.prepare()
    assert password
    return owner, password


def test_a_password_is_made_once_and_kept_as_a_hash_for_this_user_alone(
    storage: Storage, made: tuple[Owner, str]
) -> None:
    owner, password = made
    assert owner.is_password(password)
    assert not owner.is_password(password + "x")
    assert not owner.is_password("")
    assert stat.S_IMODE(storage.owner.stat().st_mode) == 0o600
    text = storage.owner.read_text()
    assert password not in text
    assert json.loads(text)["hash"].startswith("scrypt$32768$8$3$")


def test_the_next_start_knows_it_and_tells_nobody(storage: Storage, made: tuple[Owner, str]) -> None:
    again = Owner(storage)
    assert again.prepare() is None
    assert again.is_password(made[1])
    assert again.is_session(made[0].open_session())


def test_a_given_password_replaces_the_one_on_record_and_ends_sessions(
    storage: Storage, made: tuple[Owner, str]
) -> None:
    session = made[0].open_session()
    given = Owner(storage, "correct horse")
    assert given.prepare() is None
    assert given.is_password("correct horse")
    assert not given.is_password(made[1])
    assert not given.is_session(session)
    session = given.open_session()
    same = Owner(storage, "correct horse")
    same.prepare()
    assert same.is_session(session)


def test_a_new_password_ends_sessions(storage: Storage, made: tuple[Owner, str]) -> None:
    session = made[0].open_session()
    again = Owner(storage)
    password = again.prepare(renew=True)
    assert password
    assert password != made[1]
    assert not again.is_session(session)


def test_a_short_password_is_refused(storage: Storage) -> None:
    with pytest.raises(InvalidInput):
        Owner(storage, "1234567").prepare()


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"hash": "x"}'])
def test_a_broken_record_is_made_anew(storage: Storage, text: str) -> None:
    storage.owner.write_text(text)
    assert Owner(storage).prepare()


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "Im93bmVyIg.aaaaaa.AAAA", "é", "\0"])
def test_a_forged_session_is_none(made: tuple[Owner, str], token: str) -> None:
    assert not made[0].is_session(token)


def test_a_session_of_another_volume_is_none(storage: Storage, made: tuple[Owner, str], tmp_path: object) -> None:
    other = Owner(Storage(storage.root.parent / "other"))
    other.prepare()
    assert not made[0].is_session(other.open_session())


def test_a_session_ends(made: tuple[Owner, str], monkeypatch: pytest.MonkeyPatch) -> None:
    session = made[0].open_session()
    assert made[0].is_session(session)
    monkeypatch.setattr(owner_module, "SESSION_SECONDS", -1)
    assert not made[0].is_session(session)


def test_a_password_found_right_is_known_from_then_on(made: tuple[Owner, str]) -> None:
    owner, password = made
    assert not owner.has_seen(password)
    owner.is_password("wrong one")
    assert not owner.has_seen("wrong one")
    owner.is_password(password)
    assert owner.has_seen(password)
