from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field, SecretStr

from services.runtime.settings import RuntimeSettings, SettingsInvalid, document, load, unknown_variables


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in RuntimeSettings.model_fields:
        monkeypatch.delenv(f"CASETRAIL_{name.upper()}", raising=False)


def refused(**environment: str) -> tuple[str, ...]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        with pytest.raises(SettingsInvalid) as invalid:
            load(RuntimeSettings)
    assert str(invalid.value) == "\n".join(invalid.value.problems)
    return invalid.value.problems


def test_the_defaults_are_a_broker_on_this_machine() -> None:
    settings = load(RuntimeSettings)
    assert settings.nats_servers == ["nats://127.0.0.1:4222"]
    assert settings.data_dir == Path(".casetrail/data")
    assert settings.max_concurrent_requests == 1024


def test_the_environment_wins_over_defaults_and_overrides_over_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CASETRAIL_HEALTH_PORT", "8080")
    monkeypatch.setenv("CASETRAIL_LOG_LEVEL", "WARNING")
    settings = load(RuntimeSettings, health_port=9090)
    assert (settings.health_port, settings.log_level) == (9090, "warning")


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CASETRAIL_NATS_CREDS", "")
    assert load(RuntimeSettings).nats_creds is None


def test_several_servers_are_separated_by_commas() -> None:
    settings = load(RuntimeSettings, nats_url="nats://one:4222, tls://two:4223")
    assert settings.nats_servers == ["nats://one:4222", "tls://two:4223"]


def test_every_bad_setting_is_named_with_its_value_and_its_rule() -> None:
    problems = refused(
        CASETRAIL_HEALTH_PORT="70000", CASETRAIL_MAX_CONCURRENT_REQUESTS="0", CASETRAIL_LOG_FORMAT="xml"
    )
    assert len(problems) == 3
    by_variable = {problem.split(":", 1)[0]: problem for problem in problems}
    assert "'70000'" in by_variable["CASETRAIL_HEALTH_PORT"]
    assert "65535" in by_variable["CASETRAIL_HEALTH_PORT"]
    assert "greater than or equal to 1" in by_variable["CASETRAIL_MAX_CONCURRENT_REQUESTS"]
    assert "'json' or 'console'" in by_variable["CASETRAIL_LOG_FORMAT"]


@pytest.mark.parametrize(
    "url",
    ["", "localhost", "http://localhost:4222", "nats://", "nats://host:99999", "nats://a:1,,nats://b:2"],
)
def test_an_address_that_is_none_of_nats_is_refused(url: str) -> None:
    with pytest.raises(SettingsInvalid, match="CASETRAIL_NATS_URL"):
        load(RuntimeSettings, nats_url=url)


def test_the_password_of_a_bad_address_is_not_shown() -> None:
    [problem] = refused(CASETRAIL_NATS_URL="http://admin:hunter2@broker:4222")
    assert "broker:4222" in problem
    assert "hunter2" not in problem


def test_the_value_of_a_secret_setting_is_not_shown() -> None:
    class WithSecret(RuntimeSettings):
        smtp_password: SecretStr = Field(min_length=12, description="Password of the mail server.")

    with pytest.raises(SettingsInvalid, match="CASETRAIL_SMTP_PASSWORD") as invalid:
        load(WithSecret, smtp_password="hunter2")
    assert "hunter2" not in str(invalid.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    [problem] = refused(CASETRAIL_NATS_NKEY_SEED_FILE=str(tmp_path / "gone.nk"))
    assert problem.startswith("CASETRAIL_NATS_NKEY_SEED_FILE")
    assert "gone.nk" in problem
    assert "there is no such file" in problem


def test_credentials_and_seed_exclude_one_another(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    [problem] = refused(
        CASETRAIL_NATS_CREDS=str(tmp_path / "a"), CASETRAIL_NATS_NKEY_SEED_FILE=str(tmp_path / "a")
    )
    assert problem.startswith("CASETRAIL_NATS_NKEY_SEED_FILE")
    assert "CASETRAIL_NATS_CREDS" in problem


@pytest.mark.parametrize("given", ["CASETRAIL_NATS_TLS_CERT", "CASETRAIL_NATS_TLS_KEY"])
def test_a_client_certificate_and_its_key_come_together(tmp_path: Path, given: str) -> None:
    (tmp_path / "a").write_text("")
    [problem] = refused(**{given: str(tmp_path / "a")})
    assert problem.startswith("CASETRAIL_NATS_TLS_KEY")


def test_a_misspelt_variable_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CASETRAIL_NATS_ULR", "nats://broker:4222")
    monkeypatch.setenv("CASETRAIL_NATS_URL", "nats://broker:4222")
    assert "CASETRAIL_NATS_ULR" in unknown_variables(RuntimeSettings)
    assert "CASETRAIL_NATS_URL" not in unknown_variables(RuntimeSettings)


def test_the_documentation_lists_every_setting_with_a_meaning() -> None:
    rows = document(RuntimeSettings).splitlines()[2:]
    assert len(rows) == len(RuntimeSettings.model_fields)
    for row, name in zip(rows, RuntimeSettings.model_fields, strict=True):
        variable, _default, meaning = (cell.strip() for cell in row.strip("|").split(" | "))
        assert variable == f"`CASETRAIL_{name.upper()}`"
        assert len(meaning) > 10


def test_the_defaults_in_the_documentation_are_taken_as_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    for row in document(RuntimeSettings).splitlines()[2:]:
        variable, default, _meaning = (cell.strip().strip("`") for cell in row.strip("|").split(" | "))
        monkeypatch.setenv(variable, default)
    assert load(RuntimeSettings) == RuntimeSettings()
