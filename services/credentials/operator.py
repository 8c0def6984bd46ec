"""Who is trusted on NATS: the operator's and the accounts' keys, kept in one directory, and what they sign.

    operator.nk      seed of the operator, which signs the accounts' JWTs
    SERVICES.nk ...  seed of an account's signing key, which signs the JWTs of its users
    SERVICES.jwt ... the account as it was last signed: its identity, its signing key, who was revoked

Whoever reads this directory can become any user: services get their own credentials file and nothing else.
An account's identity never signs, so that its seed is not kept at all; a signing key that leaked can be
replaced in the account's JWT, whereas the identity is part of where the server stores the log.

Decentralised JWTs rather than the auth callout: to connect then takes no service of ours to be alive, and the
server itself disconnects who is revoked. A revocation is for good; an account has room for some 10,000.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from services.credentials import jwt
from services.credentials.accounts import account_claims
from services.credentials.creds import Creds, CredsInvalid, creds_file
from services.credentials.nkeys import KeyKind, KeyPair, SeedInvalid, write_private
from services.credentials.permissions import Permissions, Zone

_NAME: Final = "casetrail"
_OPERATOR: Final = "operator.nk"


class TrustInvalid(Exception):
    """The directory of the keys is damaged; `str()` names the file, and never shows what it holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What a server is told: JWTs, nothing secret. `accounts` by their public keys."""

    operator: str
    system_account: str
    accounts: Mapping[str, str]


class Operator:
    """Issues and revokes credentials. Several processes may work on one directory."""

    def __init__(self, directory: Path) -> None:
        """The keys that are in a directory. Raises TrustInvalid."""
        self._directory = directory
        self._pair = _read(directory / _OPERATOR, KeyKind.OPERATOR)
        self._signing = {zone: _read(_seed(directory, zone), KeyKind.ACCOUNT) for zone in Zone}
        self._keys = {zone: str(self._account(zone)["sub"]) for zone in Zone}

    @classmethod
    def kept(cls, directory: Path) -> Operator:
        """As `Operator`, after making the keys if there are none; accounts are those of this version.

        Raises TrustInvalid, OSError.
        """
        if not directory.exists():
            _make(directory)
        operator = cls(directory)
        with operator._locked():
            for zone in Zone:
                operator._update(zone)
        return operator

    @property
    def trust(self) -> Trust:
        """What servers are to be told now."""
        claims = jwt.operator(self._pair.public, name=_NAME, system_account=self._keys[Zone.SYSTEM])
        return Trust(
            operator=jwt.encode(claims, self._pair, issued_at=int(time.time())),
            system_account=self._keys[Zone.SYSTEM],
            accounts={self._keys[zone]: self._token(zone) for zone in Zone},
        )

    def account_key(self, zone: Zone) -> str:
        """The public key by which the server knows an account; also its directory under JetStream's."""
        return self._keys[zone]

    def issue(self, user: str, permissions: Permissions, *, expires: datetime | None = None) -> Creds:
        """New credentials, which work at once on every server that trusts this operator."""
        key = KeyPair.new(KeyKind.USER)
        claims = self._user_claims(key.public, user, permissions, expires)
        token = jwt.encode(claims, self._signing[permissions.zone], issued_at=int(time.time()))
        return Creds(user=user, jwt=token, key=key)

    def keep_creds(self, directory: Path, users: Mapping[str, Permissions]) -> None:
        """A credentials file for each user, and for nobody else. Call it before the server is started.

        A file of ours that says something else than what the user may is revoked, and replaced. The directory
        is readable to its owner only (0700), and so are the files (0600). Raises TrustInvalid, OSError.
        """
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.chmod(0o700)
        kept = {user for user in users if creds_file(directory, user).exists()}
        for path in directory.glob(creds_file(directory, "*").name):
            user = path.stem
            issued = self._issued(path, user)
            if issued is None or user not in users or not self._says(*issued, user, users[user]):
                kept.discard(user)
            if issued is not None and user not in kept:
                claims, zone = issued
                self.revoke(str(claims["sub"]), zone)
                path.unlink()
        for user in users.keys() - kept:
            self.issue(user, users[user]).write(creds_file(directory, user))

    def revoke(self, public_key: str, zone: Zone = Zone.OUTSIDE) -> str:
        """The account's JWT, in which nothing that the user was ever issued is valid. May be repeated.

        Kept here first, for servers that are not running now. Those that are: see push.py.
        Raises TrustInvalid, OSError.
        """
        with self._locked():
            return self._update(zone, revoked=public_key)

    def announce_signing_key(self, zone: Zone) -> tuple[KeyPair, str]:
        """A new key, and the account's JWT that lets it sign beside the earlier ones, for the servers.

        Nothing is signed with it before `sign_with`, which is for when the servers have taken the account.
        Raises TrustInvalid, OSError.
        """
        with self._locked():
            pair = KeyPair.new(KeyKind.ACCOUNT)
            known = self._account(zone)["nats"]["signing_keys"]
            return pair, self._update(zone, signing_keys=[*known, pair.public])

    def sign_with(self, zone: Zone, pair: KeyPair) -> None:
        """Sign with it from now on; what earlier keys signed stays valid. Raises TrustInvalid, OSError."""
        with self._locked():
            known = self._account(zone)["nats"]["signing_keys"]
            self._update(zone, signing_keys=[pair.public, *(key for key in known if key != pair.public)])
            write_private(_seed(self._directory, zone), pair.seed + "\n")
            self._signing[zone] = pair

    def retire_signing_keys(self, zone: Zone) -> str:
        """Have only the present key count: whoever has what an earlier one signed is cut off.

        Returns the account's JWT, for the servers. May be repeated. Raises TrustInvalid, OSError.
        """
        with self._locked():
            return self._update(zone, signing_keys=[self._signing[zone].public])

    def signing_keys(self, zone: Zone) -> list[str]:
        """The public keys whose signature counts now, the one that signs first. Raises TrustInvalid."""
        return list(self._account(zone)["nats"]["signing_keys"])

    def says(self, path: Path, user: str, permissions: Permissions) -> bool:
        """Whether a credentials file is one of ours, and gives the user just this. Raises OSError."""
        issued = self._issued(path, user)
        return issued is not None and self._says(*issued, user, permissions)

    def _user_claims(
        self, key: str, user: str, permissions: Permissions, expires: datetime | None
    ) -> jwt.Claims:
        return jwt.user(
            key,
            name=user,
            account=self._keys[permissions.zone],
            publish=permissions.publish,
            subscribe=permissions.subscribe,
            expires=expires,
        )

    def _issued(self, path: Path, user: str) -> tuple[jwt.Claims, Zone] | None:
        """What a credentials file says and where it lets in, if it is one of ours, and whole."""
        for zone in Zone:
            with contextlib.suppress(CredsInvalid, jwt.JwtInvalid):
                creds = Creds.read(path, user)
                claims = jwt.decode(creds.jwt, self._signing[zone])
                if claims["sub"] == creds.public_key:
                    return claims, zone
        return None

    def _says(self, claims: jwt.Claims, zone: Zone, user: str, permissions: Permissions) -> bool:
        wanted = self._user_claims(str(claims["sub"]), user, permissions, None)
        return zone is permissions.zone and jwt.same(claims, wanted)

    def _update(
        self, zone: Zone, *, revoked: str | None = None, signing_keys: Sequence[str] | None = None
    ) -> str:
        """The account as it has to be, signed anew if that is not what was kept. Call it locked.

        `signing_keys` are those that count from now on; None: the one that signs, and whichever did before.
        """
        kept = self._account(zone)
        # Later than what it replaces: servers keep the newer of two, and may know this one already.
        now = max(int(time.time()), int(kept["iat"]) + 1)
        revocations = dict(kept["nats"]["revocations"])
        if revoked is not None and revoked not in revocations:
            revocations[revoked] = now
        if signing_keys is None:
            signing_keys = list(dict.fromkeys([self._signing[zone].public, *kept["nats"]["signing_keys"]]))
        wanted = account_claims(zone, keys=self._keys, signing_keys=signing_keys, revocations=revocations)
        if not jwt.same(kept, wanted):
            write_private(
                _account_file(self._directory, zone), jwt.encode(wanted, self._pair, issued_at=now) + "\n"
            )
        return self._token(zone)

    def _token(self, zone: Zone) -> str:
        path = _account_file(self._directory, zone)
        try:
            return path.read_text(encoding="ascii").strip()
        except (FileNotFoundError, UnicodeDecodeError):
            raise TrustInvalid(f"{path} is missing or damaged; take it from a backup") from None

    def _account(self, zone: Zone) -> jwt.Claims:
        try:
            return jwt.decode(self._token(zone), self._pair)
        except jwt.JwtInvalid as error:
            raise TrustInvalid(f"{_account_file(self._directory, zone)}: {error}") from None

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Between reading and writing an account nobody else writes it: no revocation is lost."""
        handle = os.open(self._directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _make(directory: Path) -> None:
    """A new operator with its accounts: all files or none, since half of them would be of no use."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix=f"{directory.name}.") as made:  # 0700
        pair = KeyPair.new(KeyKind.OPERATOR)
        signing = {zone: KeyPair.new(KeyKind.ACCOUNT) for zone in Zone}
        keys = {zone: KeyPair.new(KeyKind.ACCOUNT).public for zone in Zone}
        complete = Path(made) / "complete"
        complete.mkdir(mode=0o700)
        write_private(complete / _OPERATOR, pair.seed + "\n")
        for zone in Zone:
            claims = account_claims(zone, keys=keys, signing_keys=[signing[zone].public], revocations={})
            token = jwt.encode(claims, pair, issued_at=int(time.time()))
            write_private(_seed(complete, zone), signing[zone].seed + "\n")
            write_private(_account_file(complete, zone), token + "\n")
        try:
            complete.rename(directory)
        except OSError:
            if not directory.exists():  # else somebody was quicker: theirs are read
                raise


def _read(path: Path, kind: KeyKind) -> KeyPair:
    try:
        return KeyPair.read(path, kind)
    except FileNotFoundError:
        raise TrustInvalid(f"{path} is missing; take it from a backup") from None
    except SeedInvalid as error:
        raise TrustInvalid(str(error)) from None


def _seed(directory: Path, zone: Zone) -> Path:
    return directory / f"{zone.value}.nk"


def _account_file(directory: Path, zone: Zone) -> Path:
    return directory / f"{zone.value}.jwt"
