"""The settings of signing in: production refuses what only development may have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from services.runtime.settings import SettingsInvalid, load
from services.signin.settings import SignInSettings


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SignInSettings.model_fields:
        monkeypatch.delenv(f"CASETRAIL_{name.upper()}", raising=False)


def _settings(key_file: Path, **changes: Any) -> SignInSettings:
    given: dict[str, Any] = {
        "public_url": "https://support.example",
        "oidc_issuer": "https://login.example/realms/casetrail",
        "session_key_file": key_file,
    }
    return load(SignInSettings, **given | changes)


def test_production_is_the_default(key_file: Path) -> None:
    settings = _settings(key_file)
    assert settings.env == "production"
    assert not settings.oidc_development
    assert settings.origin == "https://support.example"


@pytest.mark.parametrize(
    ("changes", "variable"),
    [
        ({"oidc_development": True}, "CASETRAIL_OIDC_DEVELOPMENT"),
        ({"oidc_issuer": "http://127.0.0.1:9400"}, "CASETRAIL_OIDC_ISSUER"),
        ({"oidc_issuer": "http://login.example"}, "CASETRAIL_OIDC_ISSUER"),
        ({"public_url": "http://127.0.0.1:8080"}, "CASETRAIL_PUBLIC_URL"),
        ({"public_url": "https://support.example/portal"}, "CASETRAIL_PUBLIC_URL"),
        ({"public_url": "https://jan@support.example"}, "CASETRAIL_PUBLIC_URL"),
        ({"public_url": "https://support.example:0"}, "CASETRAIL_PUBLIC_URL"),
        ({"public_url": "ftp://support.example"}, "CASETRAIL_PUBLIC_URL"),
        ({"public_url": None}, "CASETRAIL_PUBLIC_URL"),
        ({"oidc_issuer": None}, "CASETRAIL_OIDC_ISSUER"),
        ({"oidc_issuer": "https://login.example?x=y"}, "CASETRAIL_OIDC_ISSUER"),
        ({"session_key_file": None}, "CASETRAIL_SESSION_KEY_FILE"),
        ({"session_idle_s": 1}, "CASETRAIL_SESSION_IDLE_S"),
        ({"session_absolute_s": 2 * 24 * 3600}, "CASETRAIL_SESSION_ABSOLUTE_S"),
    ],
    ids=str,
)
def test_production_refuses_by_name(key_file: Path, changes: dict[str, Any], variable: str) -> None:
    with pytest.raises(SettingsInvalid) as invalid:
        _settings(key_file, **changes)
    assert any(problem.startswith(f"{variable}: ") for problem in invalid.value.problems)


def test_development_allows_the_development_provider_on_this_machine_only(key_file: Path) -> None:
    development = {"env": "development", "oidc_development": True}
    local = {"public_url": "http://127.0.0.1:8080", "oidc_issuer": "http://localhost:9400"}
    assert _settings(key_file, **development, **local).issuer == "http://localhost:9400"
    with pytest.raises(SettingsInvalid, match="CASETRAIL_OIDC_ISSUER"):
        _settings(key_file, **development, oidc_issuer="http://login.example")
    with pytest.raises(SettingsInvalid, match="CASETRAIL_PUBLIC_URL"):
        _settings(key_file, **development, public_url="http://support.example")
    with pytest.raises(SettingsInvalid, match="CASETRAIL_OIDC_ISSUER"):
        _settings(key_file, env="development", oidc_issuer="http://127.0.0.1:9400")


def test_an_issuer_is_kept_as_it_is_spelled_and_an_origin_has_no_slash(key_file: Path) -> None:
    settings = _settings(
        key_file, public_url="https://support.example/", oidc_issuer="https://login.example/"
    )
    assert settings.origin == "https://support.example"
    assert settings.issuer == "https://login.example/"


@pytest.mark.parametrize("held", ["", "\n", "too-short\n", f"{'k' * 32}\nshort\n"])
def test_a_key_file_with_a_key_that_could_be_guessed_is_refused(key_file: Path, held: str) -> None:
    key_file.write_text(held)
    with pytest.raises(SettingsInvalid, match=r"CASETRAIL_SESSION_KEY_FILE.*32 characters"):
        _settings(key_file).session_keys()


def test_keys_are_read_oldest_first(key_file: Path) -> None:
    key_file.write_text(f"{'a' * 40}\n{'b' * 40}\n")
    assert _settings(key_file).session_keys() == ["a" * 40, "b" * 40]


def test_the_client_secret_is_read_from_its_file(key_file: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    assert _settings(key_file, oidc_client_secret_file=secret).client_secret() == "s3cret"
    assert _settings(key_file).client_secret() is None
    secret.write_text(" \n")
    with pytest.raises(SettingsInvalid, match="CASETRAIL_OIDC_CLIENT_SECRET_FILE"):
        _settings(key_file, oidc_client_secret_file=secret).client_secret()
