"""A new environment out of another one: everything of it, under its own name, and suspended."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.config import read_platform
from controller.engine.operations import CloneEnvironment, EditedTree, edited, mentions
from controller.model import EnvironmentName, Invalid, MemoryTree, Stalled
from tests.engine.operations.make import FILES

ROOT = Path(__file__).parents[3]
PROD, EU = EnvironmentName("prod"), EnvironmentName("prod-eu")


def reference() -> MemoryTree:
    folders = [ROOT / "environments", ROOT / "overlays"]
    paths = [ROOT / "converge.yaml", *(path for folder in folders for path in folder.rglob("*") if path.is_file())]
    return MemoryTree({path.relative_to(ROOT).as_posix(): path.read_bytes() for path in paths})


def test_the_new_environment_has_all_of_the_old_one_and_is_suspended() -> None:
    tree = reference()
    files = edited(CloneEnvironment(PROD, EU, {"": "prod-fra"}, permits=True), tree)
    platform = read_platform(EditedTree(tree, files))
    old, new = platform.environments[PROD], platform.environments[EU]
    assert set(new.applications) == set(old.applications)
    assert new.suspend
    assert not old.suspend
    assert [target.context for target in new.targets.values()] == ["prod-fra"]  # type: ignore[union-attr]
    assert new.sync == old.sync
    assert [str(one) for one in new.applications["billing"].depends_on] == ["prod-eu/shop"]  # type: ignore[index]
    overlay = "overlays/{}/shop/kustomization.yaml"
    assert files[overlay.format("prod-eu")] == tree.read(overlay.format("prod"))
    assert not [group for group in platform.problems if group.environment == EU]
    assert all("prod-eu" in path for path in files if path != "converge.yaml")
    changed = zip(tree.read("converge.yaml").splitlines(), files["converge.yaml"].splitlines(), strict=True)
    assert {new for old, new in changed if new != old} == {b"        environments: [dev, prod, prod-eu]"}


def test_comments_stay_and_what_still_speaks_of_the_old_one_is_named() -> None:
    tree = reference()
    files = edited(CloneEnvironment(PROD, EU, permits=True), tree)
    assert b"# What customers use." in files["environments/prod-eu.yaml"]
    assert "overlays/prod-eu/kustomization.yaml:7" in mentions(files, PROD)
    assert mentions({"a": b"prod-eu/shop\nproduction\nshop-prod.example.com"}, PROD, but="prod-eu") == ("a:3",)


def test_a_copy_whose_applications_could_not_run_is_refused() -> None:
    with pytest.raises(Invalid, match='repository "shop" may not touch environment "prod-eu"'):
        edited(CloneEnvironment(PROD, EU), reference())


PRODUCTION = b"""\
apiVersion: converge/v1
kind: Environment
metadata: {name: prod}
spec:
  targets:
    hz:
      kubernetes:
        uid: 6f9d0f34-0c0e-4f1a-8f3f-2b7f6c1d9a11   # as of 2026
        context: prod-hz    # the big one
    sh: {kubernetes: {inCluster: true}}
    cloud:
      terraform:
        backend: {type: s3, config: {bucket: states, key: "prod/${application}.tfstate"}}
  sync:
    pending: approve
    windows: [{cron: "0 22 * * 1-5", for: 6h}]
    approvals: {required: 2}
  applications:
    # sells
    shop:
      repository: shop
      targets: [hz]
      approveDeletions: true   # the old claims
      rollback: {to: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, from: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb}
    old: {repository: shop, targets: [hz], state: absent}
    slow: {repository: shop, targets: [cloud], suspend: true}
"""


def production(data: bytes = PRODUCTION) -> MemoryTree:
    platform = b"""\
apiVersion: converge/v1
kind: Platform
metadata: {name: acme}
spec:
  installation: 3c9e0f0a-6d0e-4a53-9f0e-5f6d3d2f7b11
  repositories:
    shop: {url: "https://git.example.com/shop.git"}
"""
    return MemoryTree({
        "converge.yaml": platform, "environments/prod.yaml": data, "approvals/prod/shop.yaml": b"approved: []\n",
    })  # fmt: skip


def test_policy_is_copied_and_what_was_said_once_is_not() -> None:
    tree = production()
    files = edited(CloneEnvironment(PROD, EU, {"hz": "fra", "sh": "ber"}), tree)
    assert set(files) == {"environments/prod-eu.yaml"}
    platform = read_platform(EditedTree(tree, files))
    old, new = platform.environments[PROD], platform.environments[EU]
    assert set(new.applications) == {"shop", "slow"}
    assert new.sync == old.sync
    shop, slow = new.applications["shop"], new.applications["slow"]  # type: ignore[index]
    assert (shop.approve_deletions, shop.rollback, slow.suspend) == (False, old.applications["shop"].rollback, True)  # type: ignore[index]
    hz, sh = new.targets["hz"], new.targets["sh"]  # type: ignore[index]
    assert [(one.context, one.uid, one.in_cluster) for one in (hz, sh)] == [("fra", "", False), ("ber", "", False)]  # type: ignore[union-attr]
    text = files["environments/prod-eu.yaml"].decode()
    assert "# the big one" in text
    assert "# sells" in text


def test_no_state_of_terraform_is_shared() -> None:
    files = edited(CloneEnvironment(PROD, EU), production())
    assert b'key: "prod-eu/${application}.tfstate"' in files["environments/prod-eu.yaml"]
    by_name = production(PRODUCTION.replace(b"prod/$", b"${environment}/$"))
    assert b'key: "${environment}/$' in edited(CloneEnvironment(PROD, EU), by_name)["environments/prod-eu.yaml"]
    with pytest.raises(Stalled, match="would write to the states of prod"):
        edited(CloneEnvironment(PROD, EU), production(PRODUCTION.replace(b"prod/$", b"all/$")))


def test_a_target_is_led_to_one_context_of_its_own() -> None:
    with pytest.raises(Stalled, match=r"several clusters \(hz, sh\)"):
        edited(CloneEnvironment(PROD, EU, {"": "fra"}), production())
    with pytest.raises(Stalled, match="no Kubernetes target nowhere"):
        edited(CloneEnvironment(PROD, EU, {"nowhere": "fra"}), production())


@pytest.mark.parametrize("name", ["../x", "a/b", "Prod"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(Stalled, match="is no name of an environment"):
        edited(CloneEnvironment(PROD, EnvironmentName(name)), production())


def test_what_lies_where_the_copy_would_is_not_mixed_with_it() -> None:
    files = {**FILES, "overlays/prod-eu/shop/kustomization.yaml": b"kind: Component\n"}
    with pytest.raises(Stalled, match="overlays/prod-eu is there already"):
        edited(CloneEnvironment(PROD, EU), MemoryTree(files))


def test_an_environment_of_several_files_is_copied_file_by_file() -> None:
    files = {path: data for path, data in FILES.items() if path != "environments/prod.yaml"}
    data = FILES["environments/prod.yaml"]
    tree = MemoryTree({**files, "environments/prod/all.yaml": data})
    assert "environments/prod-eu/all.yaml" in edited(CloneEnvironment(PROD, EU, permits=True), tree)


def test_an_environment_that_is_there_is_not_overwritten() -> None:
    with pytest.raises(Stalled, match="dev is there already"):
        edited(CloneEnvironment(PROD, EnvironmentName("dev")), reference())
    with pytest.raises(Stalled, match="no environment nowhere"):
        edited(CloneEnvironment(EnvironmentName("nowhere"), EU), reference())
