"""`converge import` and `converge clone-env` as a person calls them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from controller.sandbox import GitHost, SandboxCluster
from tests.cli.test_commands import converge
from tests.cluster.access import KubeAccess
from tests.cluster.api import Api
from tests.targets.kubernetes.placing import config_map, deployment

pytestmark = pytest.mark.slow


async def test_what_runs_in_a_namespace_becomes_a_kustomization(tmp_path: Path, reference_platform: str) -> None:
    async with SandboxCluster() as sandbox:
        folder = tmp_path / "credentials" / "kubeconfig"
        folder.mkdir(parents=True, mode=0o700)
        kubeconfig = sandbox.write_kubeconfig(folder / "kubeconfig")
        told = json.loads(kubeconfig.read_text())
        told["contexts"] = [{**one, "name": "hangzhou"} for one in told["contexts"]]
        kubeconfig.write_text(json.dumps({**told, "current-context": "hangzhou"}))
        kubeconfig.chmod(0o600)
        access = KubeAccess(server=sandbox.server, kubeconfig=kubeconfig, ca=None, token=sandbox.token, namespace="old")
        async with Api.connect(access) as api:
            await api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "old"}})
            await api.create(config_map("a", "old", x="1"))
            await api.create(deployment("web", "old"))
        arguments = ("--target", "prod/hangzhou", "--namespace", "old", "--out", str(tmp_path / "base"))
        where = ("--platform", reference_platform, "--credentials", str(tmp_path / "credentials"))
        done = await converge(tmp_path, "import", *arguments, *where)
        assert done.returncode == 0, done.error_text
        assert b"2 objects" in done.stdout
        again = await converge(tmp_path, "import", *arguments, *where)
        assert (again.returncode, "is not empty" in again.error_text) == (1, True)
    built = await converge(tmp_path, "kustomize", "build", str(tmp_path / "base"))
    assert built.stdout.count(b"kind: ") == 2


async def test_an_environment_is_made_out_of_another_in_one_commit(
    tmp_path: Path, reference_platform: str, git_host: GitHost
) -> None:
    options = ("--context", "fra", "--author", "Li <li@example.com>", "--platform", reference_platform)
    refused = await converge(tmp_path, "clone-env", "prod", "eu", *options)
    assert refused.returncode == 1
    assert 'may not touch environment "eu" (it may: dev, prod)' in refused.error_text
    assert "--permit" in refused.error_text
    shown = await converge(tmp_path, "clone-env", "prod", "eu", "--permit", "--dry-run", *options)
    assert (shown.returncode, b"+  name: eu" in shown.stdout) == (0, True)
    assert "environments/eu.yaml" not in await git_host.names("platform")
    done = await converge(tmp_path, "clone-env", "prod", "eu", "--permit", *options)
    assert done.returncode == 0, done.error_text
    assert "suspend: true" in await git_host.show("platform", "environments/eu.yaml")
    assert "[dev, prod, eu]" in await git_host.show("platform", "converge.yaml")
    assert "still speaks of prod" in done.error_text
