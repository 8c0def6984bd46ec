"""The chart as helm renders it, and the composition, as the tests look at them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[2]
CHART: Final = ROOT / "deploy/chart"
TOOLS: Final = ROOT / ".venv-tools/bin"
RESOURCES: Final = ROOT / "deploy/tools/resources.mjs"
VALUES: Final = {
    "default": [],
    **{path.stem: ["--values", str(path)] for path in sorted((ROOT / "tests/deploy/values").glob("*.yaml"))},
}
WORKLOADS: Final = ("Deployment", "StatefulSet", "Job", "CronJob")

Object = dict[str, Any]


def run(tool: str, *arguments: str | Path, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """A tool of `make chart`."""
    return subprocess.run(
        [TOOLS / tool, *arguments], input=text, capture_output=True, text=True, check=False, timeout=60
    )


@cache
def rendered(values: str, *more: str) -> tuple[Object, ...]:
    """The objects of a release called casetrail. Raises AssertionError with what helm said."""
    done = run("helm", "template", "casetrail", CHART, *VALUES[values], *more)
    assert done.returncode == 0, done.stderr
    return tuple(each for each in yaml.safe_load_all(done.stdout) if each)


def of_kind(objects: Sequence[Object], *kinds: str) -> list[Object]:
    return [each for each in objects if each["kind"] in kinds]


def name_of(each: Object) -> str:
    return f"{each['kind']}/{each['metadata']['name']}"


def pod_of(workload: Object) -> Object:
    """The template of its pods."""
    template: Object = workload["spec"].get("jobTemplate", workload)["spec"]["template"]
    return template


def component_of(workload: Object) -> str:
    """Which part of the system it is."""
    return str(pod_of(workload)["metadata"]["labels"]["app.kubernetes.io/component"])


def containers(objects: Sequence[Object]) -> Iterator[tuple[Object, Object]]:
    """Each container, with what runs it."""
    for workload in of_kind(objects, *WORKLOADS):
        spec = pod_of(workload)["spec"]
        for container in (*spec["containers"], *spec.get("initContainers", ())):
            yield workload, container


def selects(selector: Object, workload: Object) -> bool:
    """Whether a label selector, given as labels, takes its pods."""
    return bool(selector.items() <= pod_of(workload)["metadata"]["labels"].items())


@cache
def composed() -> Object:
    """deploy/compose.yaml, with its anchors resolved."""
    composition: Object = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text(encoding="utf-8"))
    return composition
