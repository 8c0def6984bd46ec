"""The alerts speak of what our services really export, and each says what to do."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from services.embedded.running import find_running
from tests.cli.conftest import System, system

__all__ = ["system"]

DIRECTORY = Path(__file__).parents[2] / "deploy" / "prometheus"
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((DIRECTORY / "rules.yaml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
_BY_OTHERS = {"up", "kube_cronjob_created", "kube_cronjob_status_last_successful_time"}
"""By Prometheus itself and by kube-state-metrics."""


def metrics(expression: str) -> set[str]:
    """The names of the metrics in an expression."""
    without_labels = re.sub(r"\b(by|without) \([^)]*\)", "", re.sub(r"\{[^}]*\}", "{}", expression))
    return {
        name
        for name in re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*", without_labels)
        if "_" in name and name != "histogram_quantile"
    } | ({"up"} if re.search(r"\bup\{", without_labels) else set())


def test_names_are_found_in_expressions() -> None:
    assert metrics('sum by (job, le) (rate(a_b_total{x=~"c_d|e"}[5m])) > 1 or up{job="y"} == 0') == {
        "a_b_total",
        "up",
    }


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_every_alert_says_what_is_wrong_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["alert"].startswith("Casetrail")
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert set(rule["annotations"]) == {"summary", "action"}
    assert metrics(rule["expr"])
    readme = (DIRECTORY.parent / "README.md").read_text(encoding="utf-8")
    assert rule["alert"] in readme, "the page for the night has it"


def test_every_metric_is_exported_by_a_service(system: System) -> None:
    running = find_running(system.data.parent)
    assert running is not None
    exported = ""
    for url in running.services.values():
        exported += httpx2.get(f"{url}/metrics", trust_env=False).text
    names = set(re.findall(r"^# TYPE (\S+)", exported, re.MULTILINE))
    names |= {f"{name}_bucket" for name in names} | _BY_OTHERS
    wanted = {name for rule in RULES for name in metrics(rule["expr"])}
    assert len(wanted) > 8
    assert wanted <= names


def test_prometheus_itself_takes_them_and_they_do_what_they_should() -> None:
    promtool = shutil.which("promtool", path=sysconfig.get_path("scripts")) or shutil.which("promtool")
    if promtool is None:
        reason = "there is no promtool: make promtool"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    for arguments in (("check", "rules", "rules.yaml"), ("test", "rules", "rules.test.yaml")):
        done = subprocess.run(
            [promtool, *arguments], cwd=DIRECTORY, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
