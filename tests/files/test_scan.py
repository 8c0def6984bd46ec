"""Asking a virus scanner: clean, found, and everything else, which is as good as found."""

from __future__ import annotations

import pytest

from services.files.scan import AddressInvalid, Scanner, check_address
from services.runtime.errors import Unavailable
from tests.files.clamd import clamd
from tests.files.samples import EICAR


async def test_a_clean_file_is_clean_and_arrived_whole() -> None:
    content = bytes(range(256)) * 4000
    async with clamd() as scanner:
        assert await Scanner(scanner.address).finds(content) is False
        assert scanner.seen == [content]


async def test_what_is_found_is_found() -> None:
    async with clamd() as scanner:
        assert await Scanner(scanner.address).finds(EICAR) is True


@pytest.mark.parametrize(
    "answer", [b"INSTREAM size limit exceeded. ERROR\0", b"", b"stream: OK", b"\0", b"x" * 10_000, None]
)
async def test_any_other_answer_is_none(answer: bytes | None) -> None:
    async with clamd() as scanner:
        scanner.answer = answer
        with pytest.raises(Unavailable, match="scanner_unavailable"):
            await Scanner(scanner.address, timeout_s=0.3).finds(b"x")


async def test_a_scanner_that_is_not_there_is_no_answer() -> None:
    async with clamd() as scanner:
        address = scanner.address
    for nowhere in (address, "unix:/nowhere/clamd.sock"):
        with pytest.raises(Unavailable, match="scanner_unavailable"):
            await Scanner(nowhere, timeout_s=1).finds(b"x")


@pytest.mark.parametrize(
    "address", ["", "clamd", "clamd:", "clamd:0", "clamd:99999", ":3310", "unix:", "unix:x"]
)
def test_what_is_no_address_is_told(address: str) -> None:
    with pytest.raises(AddressInvalid):
        check_address(address)
