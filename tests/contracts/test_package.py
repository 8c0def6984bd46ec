"""The contracts can be installed alone."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import contracts
from contracts.publish import PUBLISHED
from contracts.registry import EVENTS

CONTRACTS = Path(contracts.__file__).parent

AT_HOME = {"compatibility.py", "publish.py"}  # they need the git history and jsoncompat


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Built in this environment, without the network."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=CONTRACTS, check=True, capture_output=True)
    (path,) = folder.glob("casetrail_contracts-*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_has_every_module_schema_and_sample_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    wanted = {path.relative_to(CONTRACTS).as_posix() for path in CONTRACTS.rglob("*.py")} - AT_HOME
    wanted |= {path.relative_to(CONTRACTS).as_posix() for path in CONTRACTS.glob("published/**/*.json")}
    wanted |= {path.relative_to(CONTRACTS).as_posix() for path in CONTRACTS.glob("golden/**/*.json")}
    wanted |= {"py.typed"}
    shipped = {name.removeprefix("contracts/") for name in wheel.namelist() if ".dist-info/" not in name}
    assert shipped == wanted
    for tag in EVENTS:
        assert {f"published/events/{tag}.json", f"golden/{tag}/minimal.json"} <= shipped


def test_no_module_imports_the_services_or_what_is_not_declared(wheel: zipfile.ZipFile) -> None:
    allowed = {*sys.stdlib_module_names, "contracts", "nats", "pydantic", "pydantic_core", "stdnum"}
    for name in wheel.namelist():
        if name.endswith(".py"):
            assert imported(wheel.read(name)) <= allowed, name


def test_it_depends_on_what_a_subscriber_needs_and_no_more(wheel: zipfile.ZipFile) -> None:
    (path,) = (name for name in wheel.namelist() if name.endswith("/METADATA"))
    metadata = Parser().parsestr(wheel.read(path).decode())
    assert metadata["Name"] == "casetrail-contracts"
    needed = {re.split(r"[<>=]", line)[0] for line in metadata.get_all("Requires-Dist", [])}
    assert needed == {"nats-py", "pydantic", "python-stdnum"}


def test_what_was_installed_reads_its_own_samples(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path)
    script = (
        f"import pathlib, sys; sys.path.insert(0, {str(tmp_path)!r}); sys.modules['services'] = None\n"
        "import contracts\n"
        "from contracts.registry import EVENTS\n"
        "home = pathlib.Path(contracts.__file__).parent\n"
        "print(home)\n"
        "samples = [(EVENTS[path.parent.name], path) for path in home.glob('golden/*/*.json')]\n"
        "print(sum(1 for model, path in samples if model.model_validate_json(path.read_bytes())))\n"
    )
    done = subprocess.run([sys.executable, "-I", "-c", script], check=True, capture_output=True, text=True)
    home, read = done.stdout.split()
    assert Path(home) == tmp_path / "contracts"
    assert int(read) == len(list(CONTRACTS.glob("golden/*/*.json")))
    assert (Path(home) / "published/subjects.json").read_bytes() == (PUBLISHED / "subjects.json").read_bytes()


def imported(source: bytes) -> set[str]:
    """The top-level packages that a module imports."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            found.add(node.module.split(".")[0])
    return found
