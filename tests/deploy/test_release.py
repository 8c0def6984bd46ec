"""What a release finds in its namespace: names, the Secrets that were made, its server for trying."""

from __future__ import annotations

import re
import subprocess
import sysconfig
from pathlib import Path

import pytest
import yaml

from tests.deploy.rendered import CHART, VALUES, WORKLOADS, name_of, of_kind, pod_of, rendered, run

SCRIPTS = Path(sysconfig.get_path("scripts"))

pytestmark = pytest.mark.usefixtures("tools")


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """What is in the Secrets that `casetrail credentials init` makes, by name."""
    where = tmp_path_factory.mktemp("credentials")
    kept = ("--dir", where, "--accounts-directory", where / "accounts")
    done = subprocess.run(
        [SCRIPTS / "casetrail", "credentials", "init", "--kubernetes", *kept],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return {each["metadata"]["name"]: each["stringData"] for each in yaml.safe_load_all(done.stdout)}


def test_the_server_for_trying_takes_its_configuration(
    secrets: dict[str, dict[str, str]], tmp_path: Path
) -> None:
    (configuration,) = of_kind(rendered("trial"), "ConfigMap")
    (server,) = of_kind(rendered("trial"), "StatefulSet")
    (container,) = pod_of(server)["spec"]["containers"]
    mounted = {each["name"]: tmp_path / each["mountPath"][1:] for each in container["volumeMounts"]}
    for volume, files in (("config", configuration["data"]), ("auth", secrets["casetrail-nats-auth"])):
        mounted[volume].mkdir(parents=True)
        for name, content in files.items():
            (mounted[volume] / name).write_text(content, encoding="utf-8")
    command = [SCRIPTS / "nats-server", "-t", "--config", tmp_path / container["args"][1][1:]]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def test_every_secret_of_ours_has_the_key_that_a_pod_looks_for(secrets: dict[str, dict[str, str]]) -> None:
    wanted = set()
    for values in VALUES:
        for workload in of_kind(rendered(values), *WORKLOADS):
            looked_for = [each["secret"] for each in pod_of(workload)["spec"]["volumes"] if "secret" in each]
            for secret in looked_for:
                keys = {item["key"] for item in secret.get("items", ())}
                if secret["secretName"].startswith("casetrail-"):
                    assert keys <= secrets[secret["secretName"]].keys(), name_of(workload)
                    wanted.add(secret["secretName"])
    assert wanted == secrets.keys() - {"casetrail-nats-cli"}, "that of the operator's terminal"


@pytest.mark.parametrize("release", ["casetrail", "support", "9.lives", "x" * 53, f"{'a' * 38}--b"])
def test_kubernetes_would_take_the_names_whatever_the_release_is_called(release: str) -> None:
    """Services: RFC 1035. Jobs of a CronJob get names that are 11 characters longer."""
    done = run("helm", "template", release, CHART, *VALUES["full"])
    assert done.returncode == 0, done.stderr
    for each in yaml.safe_load_all(done.stdout):
        name = each["metadata"]["name"]
        assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", name), name_of(each)
        assert len(name) <= (52 if each["kind"] == "CronJob" else 63), name_of(each)
