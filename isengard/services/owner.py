"""The one owner: a password kept as a hash on the volume, and sessions that the volume's own key signs."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading

import structlog
from itsdangerous import BadSignature, URLSafeTimedSerializer
from pydantic import Field

from isengard.domain.base import Value
from isengard.errors import InvalidInput
from isengard.infra.storage import Storage

# scrypt with 32 MB a guess: https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html
COST, BLOCK, LANES, MEMORY = 2**15, 8, 3, 64 * 2**20
SESSION_SECONDS = 30 * 24 * 3600
MIN_LENGTH = 8
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # none that looks like another: it is typed on phones
log = structlog.get_logger("services.owner")


class Kept(Value):
    """What the volume keeps."""

    hash: str = Field(pattern=rf"^scrypt\${COST}\${BLOCK}\${LANES}\$([0-9a-f]{{32}})\$[0-9a-f]{{128}}$")
    key: str = Field(pattern="^[0-9a-f]{64}$", description="Signs sessions; a new password has a new one.")


class Owner:
    """Knows the owner by the password or by a session. ``prepare`` must have been called before anything else."""

    def __init__(self, storage: Storage, given: str | None = None) -> None:
        self._storage = storage
        self._given = given
        self._kept: Kept | None = None
        self._hashing = threading.Lock()  # one guess at a time: each takes its memory
        self._known: set[bytes] = set()  # digests of passwords found right, so that a program pays for the hash once
        self._digest_key = secrets.token_bytes(32)

    def prepare(self, *, renew: bool = False) -> str | None:
        """Read the record, or make it; return a password made here, which nobody can be told a second time.

        A password that was given replaces the one on record. Whatever changes the password ends all sessions.
        """
        if self._given and len(self._given) < MIN_LENGTH:
            raise InvalidInput(
                f"ISENGARD_PASSWORD has fewer than {MIN_LENGTH} characters.",
                "Choose a longer one, or leave it out: Isengard then makes one and prints it.",
            )
        self._kept = None if renew else self._read()
        if self._kept and (not self._given or self._matches(self._given)):
            return None
        made = self._given or "-".join("".join(secrets.choice(ALPHABET) for _ in range(4)) for _ in range(4))
        self._kept = Kept(hash=_hash(made, secrets.token_bytes(16)), key=secrets.token_hex(32))
        self._storage.write_private(self._storage.owner, self._kept.model_dump_json().encode())
        log.info("owner.password_set", generated=not self._given)
        return None if self._given else made

    def _read(self) -> Kept | None:
        try:
            return Kept.model_validate_json(self._storage.owner.read_bytes())
        except (FileNotFoundError, ValueError):  # a damaged one is made anew
            return None

    @property
    def _record(self) -> Kept:
        assert self._kept is not None, "prepare was not called"
        return self._kept

    def has_seen(self, given: str) -> bool:
        """Tell whether this password was found right since the start; costs nothing."""
        return self._digest(given) in self._known

    def is_password(self, given: str) -> bool:
        """Tell whether this is the owner's password; costs a fifth of a second, right or wrong."""
        with self._hashing:
            right = self._matches(given)
        if right:
            self._known.add(self._digest(given))
        return right

    def _digest(self, given: str) -> bytes:
        return hmac.digest(self._digest_key, given.encode(), "sha256")

    def _matches(self, given: str) -> bool:
        salt = bytes.fromhex(self._record.hash.split("$")[4])
        return hmac.compare_digest(_hash(given, salt), self._record.hash)

    def open_session(self) -> str:
        """Return a signed token that stands for the password for thirty days."""
        return self._signer().dumps("owner")

    def is_session(self, token: str) -> bool:
        """Tell whether a token was made here, with the present password, within thirty days."""
        try:
            return bool(self._signer().loads(token, max_age=SESSION_SECONDS) == "owner")
        except BadSignature:
            return False

    def _signer(self) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(self._record.key, salt="session", signer_kwargs={"digest_method": hashlib.sha256})


def _hash(password: str, salt: bytes) -> str:
    found = hashlib.scrypt(password.encode(), salt=salt, n=COST, r=BLOCK, p=LANES, maxmem=MEMORY)
    return f"scrypt${COST}${BLOCK}${LANES}${salt.hex()}${found.hex()}"
