"""Credentials as Kubernetes Secrets, in YAML for `kubectl apply -f -`.

    casetrail-nats-<user>   user.creds   what a service proves itself with
    casetrail-link-key      link.key     signs the links in e-mails
    casetrail-session-key   session.key  signs the cookies of who signed in
    casetrail-nats-auth     auth.conf    what nats-server includes; nothing secret

The operator's keys are in none of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml


def user_secret(user: str, creds: str, *, namespace: str | None) -> dict[str, Any]:
    return _secret(f"casetrail-nats-{user}", "user.creds", creds, namespace)


def key_secret(name: str, key: str, *, namespace: str | None) -> dict[str, Any]:
    """Of a random key, `link` or `session`."""
    return _secret(f"casetrail-{name}-key", f"{name}.key", key, namespace)


def server_secret(configuration: str, *, namespace: str | None) -> dict[str, Any]:
    return _secret("casetrail-nats-auth", "auth.conf", configuration, namespace)


def as_yaml(secrets: Iterable[dict[str, Any]]) -> str:
    """One document for each."""
    return yaml.safe_dump_all(secrets, explicit_start=True, sort_keys=False)


def _secret(name: str, key: str, content: str, namespace: str | None) -> dict[str, Any]:
    labels = {"app.kubernetes.io/part-of": "casetrail"}
    metadata = {"name": name, **({"namespace": namespace} if namespace else {}), "labels": labels}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata,
        "type": "Opaque",
        "stringData": {key: content},
    }
