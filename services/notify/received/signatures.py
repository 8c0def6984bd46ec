"""Whether a signature on an e-mail (DKIM: RFC 6376, 8301, 8463) is true and speaks for its author. Blocks.

dkimpy does the arithmetic. What it lets pass and does not count here: a signature that leaves From out, one
over a part of the body (`l=`: anybody could add text), and SHA-1. RSA keys under 1024 bits do not count,
either. A key in the DNS is the sender's to choose, and Python raises numbers to powers without letting other
threads run: so exponents are small. A key in test mode (`t=y`) counts, as it does with the large providers:
many are left in it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Final

import dkim  # type: ignore[import-untyped]
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key
from dkim.util import InvalidTagValueList, parse_tag_value  # type: ignore[import-untyped]

from services.notify.received.addresses import addresses
from services.notify.received.domains import aligned, ascii_domain
from services.notify.received.lookups import Lookups

MAX_SIGNATURES: Final = 4
"""Of the author's organisation, from the top; others are passed over unchecked."""

MAX_HEADER_BYTES: Final = 128 * 1024
MIN_RSA_BITS: Final = 1024
_MAX_RSA_EXPONENT: Final = 2**32
_MAX_SIGNATURE_BYTES: Final = 4096
_MAX_WORK: Final = 50_000_000

_ALGORITHMS: Final = {b"rsa-sha256": b"rsa", b"ed25519-sha256": b"ed25519"}
_SELECTOR: Final = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*", re.IGNORECASE)
_SPACES: Final = re.compile(rb"[\t ]{16,}")
_UNREADABLE: Final = (
    dkim.DKIMException, InvalidTagValueList, ArithmeticError, AssertionError, AttributeError, LookupError,
    TypeError, ValueError,
)  # fmt: skip  # what dkimpy lets through on bytes that it does not expect


class Signatures:
    """The signatures on one e-mail that its author's organisation may have made."""

    def __init__(self, raw: bytes, author: str, *, address: str) -> None:
        """`author` is the domain of `address`, which is the one in From."""
        self._author = author
        self._checked: dkim.DKIM | None = None
        self._tags: list[tuple[int, dict[bytes, bytes]]] = []
        end = re.search(rb"\r?\n\r?\n", raw[: MAX_HEADER_BYTES + 4])
        if end is None or not _is_quick(raw):
            return
        try:
            checked = dkim.DKIM(raw, minkey=MIN_RSA_BITS)
        except _UNREADABLE:
            return
        froms = [value for name, value in checked.headers if name.lower() == b"from"]
        if len(froms) != 1 or not _says(froms[0], address):
            return  # it was read otherwise there than here
        self._checked = checked
        values = [value for name, value in checked.headers if name.lower() == b"dkim-signature"]
        self._tags = list(self._of_the_author(values))

    def true_domain(self, lookups: Lookups, *, strict: bool) -> str | None:
        """The domain (`d=`) of the first true signature; None: there is none. Raises TemporaryFailure.

        `strict`: only the author's very domain will do.
        """
        for index, tags in self._tags:
            domain = _signer(tags)
            is_meant = domain is not None and aligned(self._author, domain, strict=strict)
            if domain is not None and is_meant and self._is_true(index, tags, domain, lookups):
                return domain
        return None

    def _of_the_author(self, values: list[bytes]) -> Iterator[tuple[int, dict[bytes, bytes]]]:
        left = MAX_SIGNATURES
        for index, value in enumerate(values):
            tags = _tags(value) if len(value) <= _MAX_SIGNATURE_BYTES else {}
            if aligned(self._author, _signer(tags)) and left > 0:
                left -= 1
                if _may_count(tags):
                    yield index, tags

    def _is_true(self, index: int, tags: dict[bytes, bytes], domain: str, lookups: Lookups) -> bool:
        records = lookups.texts(f"{tags[b's'].decode('ascii')}._domainkey.{domain}")
        record = next((each for each in records if _is_usable(each, tags)), None)
        if record is None or self._checked is None:
            return False
        try:
            return bool(self._checked.verify(idx=index, dnsfunc=lambda _name, timeout=0: record))
        except _UNREADABLE:
            return False


def _signer(tags: dict[bytes, bytes]) -> str | None:
    return ascii_domain(tags.get(b"d", b"").decode("utf-8", "replace"))


def _tags(value: bytes) -> dict[bytes, bytes]:
    try:
        return dict(parse_tag_value(value))
    except _UNREADABLE:
        return {}


def _may_count(tags: dict[bytes, bytes]) -> bool:
    signed = {name.strip().lower() for name in tags.get(b"h", b"").split(b":")}
    selector = tags.get(b"s", b"").decode("ascii", "replace")
    return (
        tags.get(b"a") in _ALGORITHMS
        and b"l" not in tags
        and b"from" in signed
        and _SELECTOR.fullmatch(selector) is not None
    )


def _is_usable(record: bytes, tags: dict[bytes, bytes]) -> bool:
    """Whether the key in the record may be used for the signature (RFC 6376, section 3.6.1)."""
    key = _tags(record)
    hashes = key.get(b"h", b"sha256").replace(b" ", b"").split(b":")
    flags = key.get(b"t", b"").replace(b" ", b"").split(b":")
    identity = tags.get(b"i", b"@" + tags.get(b"d", b"")).rpartition(b"@")[2]
    if (
        key.get(b"v", b"DKIM1") != b"DKIM1"
        or key.get(b"k", b"rsa") != _ALGORITHMS[tags[b"a"]]
        or b"sha256" not in hashes
        or (b"s" in flags and identity.lower() != tags.get(b"d", b"").lower())
    ):
        return False
    try:
        written = base64.b64decode(re.sub(rb"\s+", b"", key.get(b"p", b"")), validate=True)
        if key.get(b"k") == b"ed25519":
            return len(written) == 32
        public = load_der_public_key(written)
    except (ValueError, UnsupportedAlgorithm):
        return False
    return isinstance(public, RSAPublicKey) and public.public_numbers().e < _MAX_RSA_EXPONENT


def _says(value: bytes, address: str) -> bool:
    read = addresses(" ".join(value.decode("utf-8", "replace").replace("\x00", "").split()))
    return read.clear and [box.address for box in read.mailboxes] == [address]


def _is_quick(raw: bytes) -> bool:
    """Whether dkimpy is done with it soon: its time grows with the square of the spaces in a row."""
    work = 0
    for found in _SPACES.finditer(raw):
        work += (found.end() - found.start()) ** 2
        if work > _MAX_WORK:
            return False
    return True
