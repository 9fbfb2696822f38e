"""Every folder of cases/platforms is a platform repository; problems.txt says what is wrong with it, line by line.

A problem that stops one group alone is led by that group's name.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from controller.config import new_platform, read_platform
from controller.model import (
    ApplicationName,
    Backend,
    CommitId,
    EnvironmentName,
    GroupRef,
    IgnoredDrift,
    InstallationId,
    Invalid,
    KubernetesTarget,
    MemoryTree,
    OnDestroy,
    OnDrift,
    OnPending,
    RepositoryName,
    Rollback,
    State,
    TargetName,
    TerraformTarget,
    Window,
)

CASES = sorted(one for one in (Path(__file__).parent / "cases" / "platforms").iterdir() if one.is_dir())
ROOT = Path(__file__).parents[2]


def tree_of(folder: Path) -> MemoryTree:
    files = (one for one in folder.rglob("*") if one.is_file() and one.name != "problems.txt")
    return MemoryTree({one.relative_to(folder).as_posix(): one.read_bytes() for one in files})


def reference() -> MemoryTree:
    paths = [ROOT / "converge.yaml", *(ROOT / "environments").rglob("*")]
    return MemoryTree({one.relative_to(ROOT).as_posix(): one.read_bytes() for one in paths if one.is_file()})


def problems_of(tree: MemoryTree) -> str:
    try:
        platform = read_platform(tree)
    except Invalid as error:
        return f"{error}\n"
    return "".join(f"{group}: {one}\n" for group, found in platform.problems.items() for one in found)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_mistake_is_told_at_once_with_its_line_and_what_to_do(case: Path) -> None:
    assert problems_of(tree_of(case)) == (case / "problems.txt").read_text()


def test_no_message_shows_what_may_be_a_secret() -> None:
    assert all("canary" not in problems_of(tree_of(case)) for case in CASES)


def test_the_reference_platform_is_right() -> None:
    platform = read_platform(reference())
    assert [str(one) for one in platform.placements()] == [
        "dev/billing@hangzhou",
        "dev/shop@hangzhou",
        "prod/billing@hangzhou",
        "prod/shop@hangzhou",
    ]
    assert platform.problems == {}


def test_a_new_platform_repository_validates() -> None:
    platform = read_platform(MemoryTree(new_platform("acme", InstallationId("3c9e0f0a-6d0e-4a53"))))
    assert (platform.name, platform.installation, platform.repositories) == ("acme", "3c9e0f0a-6d0e-4a53", {})


def test_a_name_that_can_not_be_makes_no_platform() -> None:
    with pytest.raises(Invalid, match=r'Write "acme-inc"'):
        new_platform("Acme Inc", InstallationId("3c9e0f0a-6d0e"))


PLATFORM_FILE = b"""\
apiVersion: converge/v1
kind: Platform
metadata: {name: acme}
spec:
  installation: 3c9e0f0a-6d0e
  repositories:
    shop: {url: /srv/shop.git, verify: {ssh: ./keys/shop}, may: {kinds: [apps/*]}}
  records: {branch: state, repository: shop}
"""
ENVIRONMENT_FILE = b"""\
apiVersion: converge/v1
kind: Environment
metadata: {name: prod}
spec:
  targets:
    hangzhou: {kubernetes: {context: prod-hz, kubeconfig: hz}, labels: {region: cn-east}}
    here: {kubernetes: {inCluster: true, uid: 5c1e3c6a-6f0b-4b07-9f0e-0f7a2d5b1c11}}
    cloud:
      terraform:
        credentials: [aws]
        backend: {type: s3, config: {key: "${application}", encrypt: true}}
        interval: 30m
        destroy: auto
        ignore: [{resource: aws_instance.*, fields: [tags], until: 2026-12-31}]
  sync: {pending: approve, drift: report, windows: [{cron: "0 22 * * 1-5", for: 1h30m, zone: Asia/Shanghai}]}
  parameters: {size: 1, zone: a}
  suspend: true
  applications: {}
"""
APPLICATION_FILE = b"""\
apiVersion: converge/v1
kind: Environment
metadata: {name: prod}
spec:
  applications:
    db: {repository: shop}
    shop:
      repository: shop
      path: ./deploy/
      revision: v1
      targets: [cloud, here]
      namespace: shop
      createNamespace: true
      dependsOn: [db, prod/db]
      state: absent
      approveDeletions: true
      sync: {pending: auto, prune: false, preflight: false, deletionsPercent: 5, healthTimeout: 1m, windows: []}
      parameters: {size: 2}
      inputs: [{from: cloud.bucket, to: ConfigMap/settings, field: "data.BUCKET"}]
"""


def test_environments_are_read_from_a_file_and_a_folder() -> None:
    tree = MemoryTree(
        {
            "converge.yaml": PLATFORM_FILE,
            "keys/shop": b"",
            "environments/prod.yaml": ENVIRONMENT_FILE,
            "environments/prod/shop.yaml": APPLICATION_FILE,
        }
    )
    platform = read_platform(tree)
    repository = platform.repositories[RepositoryName("shop")]
    assert repository.verify
    assert (repository.verify.ssh, repository.verify.gpg) == ("keys/shop", "")
    assert repository.may
    assert (repository.may.kinds, repository.may.namespaces) == (("apps/*",), None)
    assert (platform.records.branch, platform.records.repository) == ("state", "shop")
    prod = platform.environments[EnvironmentName("prod")]
    hangzhou, here, cloud = (prod.targets[TargetName(name)] for name in ("hangzhou", "here", "cloud"))
    assert isinstance(hangzhou, KubernetesTarget)
    assert (hangzhou.context, hangzhou.kubeconfig, hangzhou.labels) == ("prod-hz", "hz", {"region": "cn-east"})
    assert isinstance(here, KubernetesTarget)
    assert (here.in_cluster, here.uid) == (True, "5c1e3c6a-6f0b-4b07-9f0e-0f7a2d5b1c11")
    assert isinstance(cloud, TerraformTarget)
    assert cloud.credentials == ("aws",)
    assert cloud.backend == Backend("s3", {"key": "${application}", "encrypt": True})
    assert (cloud.interval_seconds, cloud.timeout_seconds, cloud.on_destroy) == (1800, 3600, OnDestroy.AUTO)
    assert cloud.ignore == (IgnoredDrift("aws_instance.*", ("tags",), date(2026, 12, 31)),)
    assert prod.sync.windows == (Window("0 22 * * 1-5", 5400, "Asia/Shanghai", True),)
    shop = prod.applications[ApplicationName("shop")]
    assert str(shop.origin) == "environments/prod/shop.yaml:7"
    assert (shop.path, shop.revision, shop.targets) == ("deploy", "v1", ("cloud", "here"))
    assert (shop.namespace, shop.create_namespace, shop.approve_deletions) == ("shop", True, True)
    assert set(shop.depends_on) == {GroupRef(EnvironmentName("prod"), ApplicationName("db"))}
    assert [(str(one), one.kind, one.name, one.path) for one in shop.inputs] == [
        ("cloud.bucket", "ConfigMap", "settings", ("data", "BUCKET"))
    ]
    assert shop.state is State.ABSENT
    assert shop.parameters == {"size": 2, "zone": "a"}


def test_an_application_changes_its_environments_policy_field_by_field() -> None:
    files = {"environments/prod.yaml": ENVIRONMENT_FILE, "environments/prod/shop.yaml": APPLICATION_FILE}
    prod = read_platform(MemoryTree({"converge.yaml": PLATFORM_FILE, "keys/shop": b"", **files})).environments
    applications = prod[EnvironmentName("prod")].applications
    changed, same = applications[ApplicationName("shop")].sync, applications[ApplicationName("db")].sync
    assert same == prod[EnvironmentName("prod")].sync
    assert (changed.pending, changed.drift) == (OnPending.AUTO, OnDrift.REPORT)
    assert (changed.prune, changed.preflight, changed.deletions_percent) == (False, False, 5)
    assert (changed.health_seconds, changed.windows) == (60, ())


def test_a_suspended_environment_suspends_its_applications() -> None:
    files = {"environments/prod.yaml": ENVIRONMENT_FILE, "environments/prod/shop.yaml": APPLICATION_FILE}
    prod = read_platform(MemoryTree({"converge.yaml": PLATFORM_FILE, "keys/shop": b"", **files})).environments
    assert all(one.suspend for one in prod[EnvironmentName("prod")].applications.values())


def test_an_application_without_targets_runs_on_all_of_its_environment() -> None:
    files = {"environments/prod.yaml": ENVIRONMENT_FILE, "environments/prod/shop.yaml": APPLICATION_FILE}
    prod = read_platform(MemoryTree({"converge.yaml": PLATFORM_FILE, "keys/shop": b"", **files})).environments
    db = prod[EnvironmentName("prod")].applications[ApplicationName("db")]
    assert db.targets == ("hangzhou", "here", "cloud")


def test_a_repository_without_converge_yaml_is_no_platform_repository() -> None:
    with pytest.raises(Invalid, match=r"converge\.yaml: the platform repository has no such file"):
        read_platform(MemoryTree({}))


def test_one_group_s_cycle_leaves_the_others_in_force() -> None:
    platform = read_platform(tree_of(Path(__file__).parent / "cases" / "platforms" / "dependency_cycles"))
    assert {str(one) for one in platform.problems} == {"prod/a", "prod/b", "prod/c", "prod/alone", "dev/x"}
    assert "prod/behind@hangzhou" in map(str, platform.placements())


def test_a_rollback_is_read_and_wants_full_commit_ids() -> None:
    old, new = "a" * 40, "0123456789" * 4
    entry = b"rollback: {to: %s, from: '%s'}" % (old.encode(), new.encode())
    files = {"environments/prod.yaml": ENVIRONMENT_FILE, "converge.yaml": PLATFORM_FILE, "keys/shop": b""}
    written = APPLICATION_FILE.replace(b"revision: v1", entry)
    platform = read_platform(MemoryTree({**files, "environments/prod/shop.yaml": written}))
    shop = platform.environments[EnvironmentName("prod")].applications[ApplicationName("shop")]
    assert shop.rollback == Rollback(to=CommitId(old), passed_over=CommitId(new))
    with pytest.raises(Invalid, match=r"rollback\.to"):
        read_platform(MemoryTree({**files, "environments/prod/shop.yaml": written.replace(b"a" * 40, b"abc")}))


def test_an_application_runs_on_every_target_that_has_its_labels() -> None:
    folder = Path(__file__).parent / "cases" / "platforms" / "labelled_targets"
    text = (folder / "environments" / "dev.yaml").read_text()
    kept = [line for line in text.splitlines() if not line.startswith(("    none:", "    both:"))]
    files = {
        "converge.yaml": (folder / "converge.yaml").read_bytes(),
        "environments/dev.yaml": "\n".join(kept).encode(),
    }
    environment = read_platform(MemoryTree(files)).environments[EnvironmentName("dev")]
    assert {name: one.targets for name, one in environment.applications.items()} == {
        "nobody": ("hangzhou", "shanghai", "fra"),
        "limited": ("hangzhou", "shanghai"),
    }
