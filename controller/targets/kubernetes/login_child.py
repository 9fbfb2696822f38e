"""A program of its own, run by `credentials.py`: reads kubeconfigs with the `kubernetes` package.

One JSON object on stdin: `kubeconfig` (its text), `folder` (what relative paths in it start from), `contexts` ("" is
the current one), `allowed` (commands that may be run), `runs_plugins`; or `service_account` (the folder that a pod
finds its own in). One on stdout: per context a login, `{"plugin": true}` where a program or a server must be asked
first and `runs_plugins` is false, or `{"error": …, "is_final": …}`.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml
from kubernetes.config.config_exception import ConfigException
from kubernetes.config.incluster_config import InClusterConfigLoader
from kubernetes.config.kube_config import KubeConfigLoader

Answer = dict[str, Any]


class Said(logging.Handler):
    """Keeps what the package logs: the reason of a failed plug-in is told nowhere else."""

    def __init__(self) -> None:
        super().__init__()
        self.last = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.last = record.getMessage()


def main() -> None:
    asked = json.load(sys.stdin)
    answers = {"": in_cluster(asked["service_account"])} if "service_account" in asked else logins(asked)
    json.dump(answers, sys.stdout)


def logins(asked: Answer) -> dict[str, Answer]:
    try:
        config = yaml.load(asked["kubeconfig"], Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)  # its own text would show the lines around, secrets and all
        where = f" in line {mark.line + 1}" if mark else ""
        return {one: {"error": f"the kubeconfig is no YAML{where}", "is_final": True} for one in asked["contexts"]}
    with tempfile.TemporaryDirectory() as held:
        return {context: login(config, context, asked, held) for context in asked["contexts"]}


def in_cluster(folder: str) -> Answer:
    """Log in as the pod's service account. Its token is renewed by the kubelet: the path is handed back."""
    token, ca = Path(folder, "token"), Path(folder, "ca.crt")
    loader: Any = InClusterConfigLoader(  # type: ignore[no-untyped-call]
        token_filename=str(token), cert_filename=str(ca), environ=os.environ
    )
    try:
        loader._load_config()  # noqa: SLF001 - `load_and_set` would need a client's configuration to fill
    except ConfigException as error:
        return {"error": f"not in a pod: {error}", "is_final": True}
    return {"server": loader.host, "ca": encoded(loader.ssl_ca_cert), "token_path": str(token)}


def login(config: Any, context: str, asked: Answer, held: str) -> Answer:
    said = Said()
    logging.getLogger().handlers[:] = [said]
    try:
        loader: Any = KubeConfigLoader(  # type: ignore[no-untyped-call]
            config_dict=config,
            active_context=context or None,
            config_base_path=asked["folder"],
            temp_file_path=held,
        )
        user = loader._user.value if loader._user else {}  # noqa: SLF001 - to look before anything is run
        command = command_of(user)
        if command and command not in asked["allowed"]:
            return {
                "error": f"it runs `{command}` to log in, which is not on the list of allowed plug-ins. Name it, as "
                "it is spelt there, in CONVERGE_EXEC_PLUGINS of the controller, or use a token",
                "is_final": True,
            }
        if ("exec" in user or "auth-provider" in user) and not asked["runs_plugins"]:
            return {"plugin": True}
        loader._load_authentication()  # noqa: SLF001 - as `load_and_set`, whose hook hides the expiry
        loader._load_cluster_info()  # noqa: SLF001
    except (ConfigException, AttributeError, KeyError, TypeError, ValueError, OSError) as error:
        return {"error": f"the kubeconfig can't be used: {error}", "is_final": True}
    if command and not getattr(loader, "token", "") and not getattr(loader, "cert_file", ""):
        reason = said.last[:300] or "it gave neither a token nor a certificate"
        return {"error": f"plug-in `{command}`: {reason}", "is_final": "No such file" in reason}
    return answer(loader, user, asked["folder"])


def command_of(user: Answer) -> str:
    """Name the program that a user entry makes its reader run, "" for none."""
    if "exec" in user:
        return str(user["exec"].get("command", ""))
    provider = (user.get("auth-provider") or {}).get("config") or {}
    return str(provider.get("cmd-path", "")).split(" ")[0]


def answer(loader: Any, user: Answer, folder: str) -> Answer:
    expiry = getattr(loader, "expiry", None)
    token_file = "" if user.get("token") else user.get("tokenFile", "")
    return {
        "server": getattr(loader, "host", ""),
        "ca": encoded(getattr(loader, "ssl_ca_cert", None)),
        "is_verified": getattr(loader, "verify_ssl", True),
        "server_name": getattr(loader, "tls_server_name", ""),
        "proxy": getattr(loader, "proxy", ""),
        "authorization": getattr(loader, "token", ""),
        "certificate": encoded(getattr(loader, "cert_file", None)),
        "key": encoded(getattr(loader, "key_file", None)),
        "token_path": os.path.normpath(Path(folder, token_file)) if token_file else "",
        "expires_at": expiry.timestamp() if expiry else 0.0,
    }


def encoded(path: str | None) -> str:
    return base64.b64encode(Path(path).read_bytes()).decode() if path else ""


if __name__ == "__main__":
    main()
