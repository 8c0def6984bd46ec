"""The development mail server: real SMTP, a file for each recipient, never in production."""

from __future__ import annotations

import smtplib
import subprocess
import sys
import time
from email.message import EmailMessage
from pathlib import Path

from services.embedded.mailbox import keep
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
    assert "RCPT TO" not in said  # aiosmtpd's own log has a line for every command


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


def test_a_name_cannot_lead_out_of_the_directory(tmp_path: Path) -> None:
    file = keep(tmp_path / "mail", "../../etc/passwd@x", b"x")
    assert file.parent == tmp_path / "mail"
    assert file.read_bytes() == b"x"
