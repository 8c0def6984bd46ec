"""What `up` tells when everything is ready: where things are, and what to try first."""

from __future__ import annotations

import os
import shlex
import shutil
import sysconfig
from pathlib import Path

from services.embedded.running import DATA_VARIABLE, is_nearest


def summary(data: Path, addresses: dict[str, str], portal: str | None) -> str:
    """For people, in lines."""
    width = max(map(len, addresses))
    return "\n".join(
        [
            "",
            f"Casetrail is ready. Its data is in {data}.",
            *(f"  {name:<{width}}  {address}" for name, address in addresses.items()),
            "",
            *([f"Open {portal} and sign in as one of the people there.", ""] if portal else []),
            "In a second terminal, in this directory:",
            *([] if is_nearest(data) else [f"  export {DATA_VARIABLE}={shlex.quote(str(data.resolve()))}"]),
            f'  {_command()} ticket open --account acme-clinic --title "No visits" --text "Help" \\',
            "    --as anna.kowalska@acme-clinic.example",
            f"  {_command()} ticket list",
            f"  {_command()} events --from-start --follow",
            "",
            "Ctrl-C stops it.",
            "",
        ]
    )


def _command() -> str:
    """How a person in this directory calls the command line: `make run` leaves it in the environment."""
    if shutil.which("casetrail"):
        return "casetrail"
    script = Path(sysconfig.get_path("scripts"), "casetrail")
    return os.path.relpath(script) if script.is_relative_to(Path.cwd()) else str(script)
