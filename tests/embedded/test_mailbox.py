"""The development mail server: real SMTP, a file for each recipient, a page; never in production."""

from __future__ import annotations

import asyncio
import smtplib
import socket
import subprocess
import sys
import time
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx2
from aiosmtpd.smtp import Envelope

from services.embedded.mailbox import Keeper, keep
from services.embedded.ports import ReservedPort
from tests.cli.conftest import clean_environment

PROGRAM = (sys.executable, "-m", "services.embedded.mailbox")


def test_every_recipient_has_a_file_of_its_own(tmp_path: Path) -> None:
    port = ReservedPort()
    env = clean_environment(
        CASETRAIL_ENV="development",
        CASETRAIL_MAILBOX_PORT=str(port.number),
        CASETRAIL_DATA_DIR=str(tmp_path / "mail"),
    )
    with subprocess.Popen(PROGRAM, env=env, stderr=subprocess.PIPE) as process:
        try:
            message = EmailMessage()
            message["Subject"] = "Zażółć"
            message.set_content("gęślą jaźń")
            with _connected(port.number) as smtp:
                smtp.send_message(message, "a@x.example", ["b@x.example", "../c@x.example"])
        finally:
            process.terminate()
            said = process.communicate(timeout=20)[1].decode()
    port.release()
    files = sorted((tmp_path / "mail").iterdir())
    assert {file.name.partition("-")[2] for file in files} == {".._c@x.example.eml", "b@x.example.eml"}
    assert b"Content-Transfer-Encoding" in files[0].read_bytes()
    envelopes = {file.read_bytes().split(b"\r\n")[0] for file in files}
    assert envelopes == {b"Delivered-To: ../c@x.example", b"Delivered-To: b@x.example"}
    assert files[0].read_bytes().split(b"\r\n")[1] == b"Return-Path: <a@x.example>"
    assert "RCPT TO" not in said  # aiosmtpd's own log has a line for every command


def test_it_serves_the_inboxes_as_pages(tmp_path: Path) -> None:
    smtp_port, http_port = ReservedPort(), ReservedPort()
    env = clean_environment(
        CASETRAIL_ENV="development",
        CASETRAIL_MAILBOX_PORT=str(smtp_port.number),
        CASETRAIL_MAILBOX_HTTP_PORT=str(http_port.number),
        CASETRAIL_MAILBOX_ANSWERS_HOST="127.0.0.1",
        CASETRAIL_MAILBOX_ANSWERS_PORT="2525",
        CASETRAIL_DATA_DIR=str(tmp_path / "mail"),
    )
    origin = f"http://127.0.0.1:{http_port.number}"
    with subprocess.Popen(PROGRAM, env=env, stderr=subprocess.PIPE) as process:
        try:
            with _connected(smtp_port.number) as smtp:
                smtp.sendmail("a@x.example", ["B+1@x.example"], b"Subject: Hi\r\n\r\nHello")
            page = _get(f"{origin}/people/b+1@x.example")
            form = _get(f"{origin}/write")
        finally:
            process.terminate()
            said = process.communicate(timeout=20)[1].decode()
    smtp_port.release()
    http_port.release()
    assert process.returncode == 0
    assert "Hello" in page
    assert "127.0.0.1:2525" in form
    assert f'"page": "{origin}"' in said


def _get(url: str) -> str:
    """What is there, once something is: SMTP is served a moment earlier."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return httpx2.get(url, timeout=10).raise_for_status().text
        except httpx2.ConnectError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def _connected(port: int) -> smtplib.SMTP:
    deadline = time.monotonic() + 20
    while True:
        try:
            return smtplib.SMTP("127.0.0.1", port, timeout=10)
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_it_does_not_start_in_production() -> None:
    done = subprocess.run(PROGRAM, env=clean_environment(), capture_output=True, timeout=30, check=False)
    assert done.returncode == 2
    assert b"refused in production" in done.stderr


def test_settings_that_cannot_be_are_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        env = clean_environment(CASETRAIL_ENV="development", CASETRAIL_DATA_DIR=str(tmp_path))
        for name, value, rule in (
            ("CASETRAIL_MAILBOX_HTTP_PORT", port, "cannot listen on 127.0.0.1"),
            (
                "CASETRAIL_MAILBOX_ANSWERS_PORT",
                "2525",
                "is given together with CASETRAIL_MAILBOX_ANSWERS_HOST",
            ),
        ):
            done = subprocess.run(
                PROGRAM, env=env | {name: value}, capture_output=True, timeout=30, check=False
            )
            assert done.returncode == 2
            assert f"{name}: '{value}': {rule}" in done.stderr.decode()


def test_an_envelope_cannot_add_a_header(tmp_path: Path) -> None:
    envelope: Any = Envelope()
    envelope.mail_from, envelope.rcpt_tos = "a@x.example>\rX-Y: z", ["b@x.example\nX-Y: z"]
    envelope.content = b"Subject: x\r\n\r\n"
    unused: Any = None
    asyncio.run(Keeper(tmp_path).handle_DATA(unused, unused, envelope))
    (file,) = tmp_path.iterdir()
    assert file.read_bytes() == envelope.content


def test_a_name_cannot_lead_out_of_the_directory(tmp_path: Path) -> None:
    file = keep(tmp_path / "mail", "../../etc/passwd@x", b"x")
    assert file.parent == tmp_path / "mail"
    assert file.read_bytes() == b"x"
