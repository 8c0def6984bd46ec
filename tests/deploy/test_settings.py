"""What chart and composition tell each service is what it reads, and all that it needs."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

import pytest

from services.access.app import AccessSettings
from services.attachments.settings import AttachmentsSettings
from services.embedded.catalogue import CATALOGUE
from services.embedded.identity import IdentitySettings
from services.embedded.mailbox import MailboxSettings
from services.guard.settings import GuardSettings
from services.intake.app import IntakeSettings
from services.notify.settings import NotifySettings
from services.portal.settings import PortalSettings
from services.runtime.settings import RuntimeSettings, load, unknown_variables
from tests.deploy.rendered import VALUES, WORKLOADS, component_of, composed, of_kind, pod_of, rendered

SETTINGS: Final[dict[str, type[RuntimeSettings]]] = {
    "access": AccessSettings,
    "attachments": AttachmentsSettings,
    "intake": IntakeSettings,
    "notify": NotifySettings,
    "portal": PortalSettings,
    "portal-2": PortalSettings,
    "identity": IdentitySettings,
    "tickets": GuardSettings,
    "setup": RuntimeSettings,
    "backup": RuntimeSettings,
    "mailbox": MailboxSettings,
}


@pytest.fixture(autouse=True)
def nothing_else_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("CASETRAIL_"):
            monkeypatch.delenv(name)


def check(
    name: str, told: dict[str, str], mounted: set[str], monkeypatch: pytest.MonkeyPatch, directory: Path
) -> None:
    """Fails if the service would not start with this environment, or does not know some of it."""
    for variable, value in told.items():
        if value.startswith("/run/casetrail/"):
            assert value in mounted, (name, variable, value)
            file = directory / value.removeprefix("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("x" * 40)
            value = str(file)
        monkeypatch.setenv(variable, value)
    assert unknown_variables(SETTINGS[name]) == [], name
    load(SETTINGS[name])
    for variable in told:
        monkeypatch.delenv(variable)


@pytest.mark.parametrize("values", VALUES)
@pytest.mark.usefixtures("tools")
def test_the_chart_tells_each_service_what_it_needs(
    values: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    checked = set()
    for workload in of_kind(rendered(values), *WORKLOADS):
        spec = pod_of(workload)["spec"]
        (container,) = spec["containers"]
        name = component_of(workload)
        if name not in SETTINGS:  # nats
            continue
        secrets = {v["name"]: v["secret"]["items"][0]["path"] for v in spec["volumes"] if "secret" in v}
        mounted = {
            f"{mount['mountPath']}/{secrets[mount['name']]}"
            for mount in container["volumeMounts"]
            if mount["name"] in secrets
        }
        told = {variable["name"]: variable["value"] for variable in container["env"]}
        check(name, told, mounted, monkeypatch, tmp_path)
        assert mounted <= set(told.values()), "a secret that nobody reads"
        checked.add(name)
    wanted = {entry.name for entry in CATALOGUE} | {"setup", "backup"}
    assert checked == wanted - {"trial": {"portal", "backup"}, "default": {"backup"}}.get(values, set())


def test_the_composition_tells_each_service_what_it_needs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    services = composed()["services"]
    assert {entry.name for entry in CATALOGUE} <= services.keys()
    for name in SETTINGS.keys() & services.keys():
        told = {
            variable: re.sub(r"\$\{\w+:-(.*?)\}", r"\1", value)
            for variable, value in services[name]["environment"].items()
        }
        files = {value for value in told.values() if value.startswith("/run/casetrail/")}
        check(name, told, files, monkeypatch, tmp_path)


def test_every_service_of_the_composition_is_confined_and_bounded() -> None:
    for name, service in composed()["services"].items():
        assert (service["user"], service["read_only"]) == ("10001:10001", True), name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "mem_limit" in service, name


def test_every_service_of_the_composition_has_two_replicas() -> None:
    for entry in CATALOGUE:
        replicas = [
            service["deploy"]["replicas"]
            for service in composed()["services"].values()
            if service.get("command") == [entry.name]
        ]
        assert sum(replicas) == 2, entry.name
