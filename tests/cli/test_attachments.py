"""Files on the command line, on a running system."""

from __future__ import annotations

from tests.cli.conftest import JAN, Casetrail
from tests.files.samples import EXE, PNG


def test_a_file_comes_with_a_reply_and_is_saved_again(casetrail: Casetrail, account: str) -> None:
    (casetrail.cwd / "shot.png").write_bytes(PNG)
    opened = casetrail(
        "ticket", "open", "--account", account, "--title", "T", "--text", "M", "--as", JAN, "--json"
    ).object
    reply = ("ticket", "reply", opened["number"], "--text", "See", "--as", JAN, "--attach", "shot.png")
    done = casetrail(*reply, "--json", "--command-id", f"reply-{account}")
    assert done.code == 0, done.err
    assert casetrail(*reply, "--json", "--command-id", f"reply-{account}").object == done.object
    shown = casetrail("ticket", "show", opened["number"]).out
    line = next(line for line in shown.splitlines() if "shot.png" in line)
    attachment = line.rpartition("(")[2].rstrip(")")
    got = ("attachment", "get", attachment, "--account", account, "--as", JAN, "--out", f"{account}.png")
    assert casetrail(*got).code == 0
    assert (casetrail.cwd / f"{account}.png").read_bytes() == PNG
    again = casetrail(*got)
    assert again.code == 2
    assert "is there already; it is not overwritten" in again.err


def test_what_cannot_be_attached_is_told_and_nothing_is_done(casetrail: Casetrail, account: str) -> None:
    (casetrail.cwd / "a.png").write_bytes(EXE)
    (casetrail.cwd / "empty.png").write_bytes(b"")
    (casetrail.cwd / "large.png").write_bytes(PNG + b"\0" * (10 << 20))
    for file, code, said in (
        ("a.png", 3, "is not of a type that is taken"),
        ("empty.png", 2, "empty.png is empty"),
        ("large.png", 2, "at most 10485760 are possible"),
        ("nowhere.png", 2, "cannot be read"),
    ):
        done = casetrail(
            "ticket",
            "open",
            "--account",
            account,
            "--title",
            "T",
            "--text",
            "M",
            "--as",
            JAN,
            "--attach",
            file,
        )
        assert (done.code, done.out) == (code, "")
        assert said in done.err
    listed = casetrail("ticket", "list", "--account", account, "--json").object
    assert listed["tickets"] == []


def test_a_stranger_gets_nothing(casetrail: Casetrail, account: str) -> None:
    (casetrail.cwd / "mine.png").write_bytes(PNG)
    put = casetrail("attachment", "put", "mine.png", "--account", account, "--as", JAN, "--json").object
    done = casetrail(
        "attachment", "get", put["id"], "--account", account, "--as", "nobody@else.example", "--out", "x.png"
    )
    assert done.code == 4
    assert not (casetrail.cwd / "x.png").exists()


def test_a_link_that_is_none_is_told(casetrail: Casetrail) -> None:
    for link, code in (("https://support.example/interest/confirm", 2), ("nonsense", 4)):
        for command in ("show", "confirm"):
            done = casetrail("interest", command, link)
            assert (done.code, done.out) == (code, "")
            assert "Traceback" not in done.err
