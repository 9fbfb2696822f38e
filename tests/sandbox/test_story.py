"""The demo as a new user starts it: every scene comes out as told, and a borrowed cluster is left as it was."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from controller.runtime import Completed, bare_environment, run
from tests.cluster.access import KubeAccess
from tests.cluster.api import Api
from tests.fixtures.sops import Encryption

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
SCENES = (
    "first deployment",
    "is merged",
    "is promoted",
    "edits by hand",
    "git revert",
    "made by hand",
    "broken manifest",
    "emergency edit",
    "rolled back by one command",
    "waits for an approval",
    "A Helm chart",
    "An OAM Application",
    "a cloud and a cluster",
    "proof of what ran",
    "The truth in git",
)


async def demo(cwd: Path, *arguments: str) -> Completed:
    return await run(
        (sys.executable, "-m", "controller.cli", "demo", *arguments),
        cwd=Path(__file__).parents[2],
        env=bare_environment({"HOME": str(cwd)}),
        deadline_seconds=300,
    )


def is_whole(told: Completed) -> bool:
    text = told.stdout.decode()
    assert told.returncode == 0, told.error_text + text
    return all(scene in text for scene in SCENES)


@pytest.mark.helm
@pytest.mark.sops
async def test_without_a_terminal_the_demo_tells_its_story_and_ends(
    tmp_path: Path, helm: Path, sops: Encryption, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = (str(helm.parent), str(sops.program.parent), os.environ["PATH"])
    monkeypatch.setenv("PATH", os.pathsep.join(paths))
    told = await demo(tmp_path)
    assert is_whole(told)
    text = told.stdout.decode()
    assert "spec.replicas: 3 → 1, by kubectl-edit" in text
    assert "deploy/deployment.yaml:12" in text
    assert "Deployment wiki has 3 replicas" in text
    assert "Secret mail was decrypted in memory: SMTP_PASSWORD, SMTP_USER" in text
    assert "not-a-secret-of-anybody" not in text


@pytest.mark.cluster
async def test_a_borrowed_cluster_is_left_as_it_was(cluster: KubeAccess, api: Api, tmp_path: Path) -> None:
    context = json.loads(cluster.kubeconfig.read_text())["current-context"]
    told = await demo(tmp_path, "--context", context, "--kubeconfig", str(cluster.kubeconfig))
    assert is_whole(told)
    names = [one["metadata"] for one in (await api.list("v1", "Namespace"))["items"]]
    left = [one["name"] for one in names if one["name"].startswith("converge-demo-") and "deletionTimestamp" not in one]
    assert left == []
