"""Each operation changes its own lines, and leaves every other byte as it was."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.engine.approvals import approvals
from controller.engine.operations.approving import Approve
from controller.engine.operations.operation import Operation, OperationChange, edited
from controller.engine.operations.overlays import Image, images_of, overlay, parse_image
from controller.engine.operations.promoting import Promote
from controller.engine.operations.rolling_back import RollBack
from controller.engine.operations.setting import SetImage, SetReplicas
from controller.engine.operations.suspending import Resume, Suspend
from controller.git.changes import BranchFiles, Overlay
from controller.model import CommitId, Digest, EnvironmentName, Invalid, MemoryTree, Stalled, TargetName
from tests.engine.operations.make import DEV, FILES, PROD, group, lines

OLD, BAD, WORSE = (CommitId(digit * 40) for digit in "ab1")
SHOP, DEV_SHOP = group("prod/shop"), group("dev/shop")
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
PROD_FILE, PROD_OVERLAY_FILE = "environments/prod.yaml", "overlays/prod/shop/kustomization.yml"
WEB = "registry.example.com/shop/web"
APPROVE = Approve(group=SHOP, plans=(Digest("sha256:new"),), by="Li <li@x>", now=NOON)


CASES: dict[str, tuple[Operation, dict[str, list[str]]]] = {
    "suspend": (Suspend(SHOP), {PROD_FILE: ["+       suspend: true"]}),
    "suspend in a flow map": (
        Suspend(DEV_SHOP),
        {
            "environments/dev.yaml": [
                "-     shop: {repository: shop,  path: deploy, revision: main}   # moves fast",
                "+     shop: {repository: shop,  path: deploy, revision: main, suspend: true}   # moves fast",
            ]
        },
    ),
    "roll back": (
        RollBack(SHOP, OLD, BAD),
        {PROD_FILE: ["+       rollback:", f"+         to: {OLD}", f"+         from: {BAD}"]},
    ),
    "roll back to digits only": (
        RollBack(SHOP, WORSE, BAD),
        {PROD_FILE: ["+       rollback:", f'+         to: "{WORSE}"', f"+         from: {BAD}"]},
    ),
    "set an image": (
        SetImage(SHOP, parse_image(f"{WEB}=1.1")),
        {PROD_OVERLAY_FILE: ["-   newTag: '1.0'", "+   newTag: '1.1'"]},
    ),
    "set an image by the end of its name": (
        SetImage(SHOP, parse_image("web=1.1")),
        {PROD_OVERLAY_FILE: ["-   newTag: '1.0'", "+   newTag: '1.1'"]},
    ),
    "set an image's digest": (
        SetImage(SHOP, parse_image("db=sha256:abc")),
        {PROD_OVERLAY_FILE: ['-   newTag: "1"', "+   digest: sha256:abc"]},
    ),
    "set an image to another one": (
        SetImage(SHOP, parse_image("db=example.com:5000/db:2")),
        {PROD_OVERLAY_FILE: ['-   newTag: "1"', '+   newTag: "2"', "+   newName: example.com:5000/db"]},
    ),
    "set an image that is not there yet": (
        SetImage(SHOP, parse_image("cache=7")),
        {PROD_OVERLAY_FILE: ["+ - name: cache", '+   newTag: "7"']},
    ),
    "set an image on one target": (
        SetImage(SHOP, parse_image("web=1"), TargetName("away")),
        {
            "overlays/prod/shop/away/kustomization.yaml": [
                "+ apiVersion: kustomize.config.k8s.io/v1alpha1",
                "+ kind: Component",
                "+ images:",
                "+ - name: web",
                '+   newTag: "1"',
            ]
        },
    ),
    "set replicas": (
        SetReplicas(SHOP, "web", 5),
        {PROD_OVERLAY_FILE: ["- - {name:  web, count: 3}", "+ - {name:  web, count: 5}"]},
    ),
    "set replicas that are not there yet": (
        SetReplicas(SHOP, "api", 2),
        {PROD_OVERLAY_FILE: ["+ - name: api", "+   count: 2"]},
    ),
    "promote": (
        Promote(DEV_SHOP, EnvironmentName("prod"), revision="v2.0"),
        {
            PROD_OVERLAY_FILE: [
                "-   newTag: '1.0'",
                "+   newTag: '2.0'",
                '-   newTag: "1"',
                "+   digest: sha256:abc",
                "+ - name: sidecar",
                '+   newTag: "7"',
            ],
            PROD_FILE: ["-       revision: v1.0   # a tag", "+       revision: v2.0   # a tag"],
        },
    ),
    "approve": (
        replace(APPROVE, until=NOON + timedelta(days=1)),
        {
            "approvals/prod/shop.yaml": [
                "+ plans:",
                "+ - plan: sha256:new",
                "+   by: Li <li@x>",
                '+   until: "2026-11-22T12:00:00Z"',
            ]
        },
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_an_operation_changes_its_lines_and_no_other(case: tuple[Operation, dict[str, list[str]]]) -> None:
    operation, wanted = case
    assert lines(operation) == wanted


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_an_operation_that_is_done_already_changes_nothing(case: tuple[Operation, dict[str, list[str]]]) -> None:
    operation, _ = case
    after = {**FILES, **edited(operation, MemoryTree(FILES))}
    assert edited(operation, MemoryTree(after)) == {}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_committer_derives_the_same(case: tuple[Operation, dict[str, list[str]]]) -> None:
    operation, _ = case
    base = Overlay(BranchFiles(None))
    base.write(FILES)
    assert OperationChange(operation, "why").derive(base) == edited(operation, MemoryTree(FILES))


@pytest.mark.parametrize("start", [SHOP, DEV_SHOP])
def test_resuming_takes_back_a_suspension_and_a_rollback_to_the_byte(start: object) -> None:
    assert start in (SHOP, DEV_SHOP)
    of = SHOP if start == SHOP else DEV_SHOP
    files = dict(FILES)
    for operation in (Suspend(of), RollBack(of, OLD, BAD), RollBack(of, WORSE, OLD), Resume(of)):
        files |= edited(operation, MemoryTree(files))
    assert files == FILES


def test_an_applications_file_in_the_environments_folder_is_the_one_that_is_edited() -> None:
    own = PROD.replace(b"    other:\n      repository: shop\n      revision: main\n", b"")
    part = b"apiVersion: converge/v1\nkind: Environment\nmetadata: {name: prod}\nspec:\n  applications:\n"
    files = {**FILES, PROD_FILE: own, "environments/prod/other.yaml": part + b"    other: {repository: shop}\n"}
    assert lines(Suspend(group("prod/other")), files) == {
        "environments/prod/other.yaml": [
            "-     other: {repository: shop}",
            "+     other: {repository: shop, suspend: true}",
        ]
    }


REFUSED: dict[str, tuple[Operation, dict[str, bytes], str]] = {
    "an unknown environment": (Suspend(group("test/shop")), {}, "There are: dev, prod"),
    "an unknown application": (Suspend(group("prod/shops")), {}, "It has: other, shop"),
    "a target it does not run on": (SetReplicas(SHOP, "web", 1, TargetName("moon")), {}, "It runs on: home, away"),
    "back to where it is": (RollBack(SHOP, OLD, OLD), {}, "anyway"),
    "a commit that is no full id": (RollBack(SHOP, CommitId("abc"), BAD), {}, r"prod\.yaml:\d+: .*rollback\.to"),
    "a count below zero is kustomize's to refuse, a text is ours": (
        Promote(DEV_SHOP, EnvironmentName("prod"), revision="a..b"), {}, "revision",
    ),
    "two different applications": (
        Promote(group("dev/other"), EnvironmentName("prod")), {}, "two applications",
    ),
    "to itself": (Promote(DEV_SHOP, EnvironmentName("dev")), {}, "same environment"),
    "a platform that does not validate now": (
        Suspend(SHOP), {"environments/dev.yaml": DEV.replace(b"kind: Environment", b"kind: Enviroment")}, "dev.yaml",
    ),
    "an environment that is suspended as a whole": (
        Resume(SHOP), {PROD_FILE: PROD.replace(b"spec:\n", b"spec:\n  suspend: true\n")}, "all of prod",
    ),
    "an overlay that is none": (SetReplicas(SHOP, "web", 1), {PROD_OVERLAY_FILE: b"- a\n"}, "no kustomization"),
    "an approvals file of another form": (APPROVE, {"approvals/prod/shop.yaml": b"plans: yes\n"}, "approvals/prod"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_what_would_not_validate_is_refused_with_its_reason(case: tuple[Operation, dict[str, bytes], str]) -> None:
    operation, files, reason = case
    with pytest.raises((Stalled, Invalid), match=reason):
        edited(operation, MemoryTree({**FILES, **files}))


def test_a_group_that_is_stopped_already_can_still_be_suspended() -> None:
    limited = FILES["converge.yaml"].replace(b"[dev, prod]", b"[dev]")
    assert lines(Suspend(SHOP), {**FILES, "converge.yaml": limited}) == {PROD_FILE: ["+       suspend: true"]}


def test_an_approval_takes_expired_and_stale_ones_with_it_and_leaves_what_holds() -> None:
    file = b"""\
# yeses of prod/shop
plans:
- sha256:stale
- plan: sha256:other   # of another target
  by: Chen <chen@x>
- {plan: "sha256:expired", until: "2026-11-21T11:00:00Z"}
- {plan: "sha256:new", by: Chen <chen@x>}   # two say yes
"""
    files = {**FILES, "approvals/prod/shop.yaml": file}
    operation = replace(APPROVE, current=frozenset(map(Digest, ["sha256:new", "sha256:other", "sha256:expired"])))
    assert lines(operation, files) == {
        "approvals/prod/shop.yaml": [
            "- - sha256:stale",
            '- - {plan: "sha256:expired", until: "2026-11-21T11:00:00Z"}',
            "+ - plan: sha256:new",
            "+   by: Li <li@x>",
        ]
    }
    unknown = {**files, **edited(replace(APPROVE, current=None), MemoryTree(files))}
    assert [one.plan for one in approvals(MemoryTree(unknown), SHOP)][:1] == ["sha256:stale"]


TAGS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)


@given(TAGS, st.sampled_from(["web", "db", WEB, "new/one"]))
def test_any_tag_is_read_back_as_it_was_set(tag: str, name: str) -> None:
    files = {**FILES, **edited(SetImage(SHOP, Image(name, new_tag=tag)), MemoryTree(FILES))}
    _, value = overlay(MemoryTree(files), PROD_OVERLAY_FILE)
    full = WEB if name == "web" else name
    assert next(one for one in images_of(value) if one.name == full).new_tag == tag


@pytest.mark.parametrize(
    ("text", "image"),
    [
        ("web=1.0", Image("web", new_tag="1.0")),
        ("web=sha256:ab", Image("web", digest="sha256:ab")),
        ("web=x.org/web@sha256:ab", Image("web", "x.org/web", digest="sha256:ab")),
        ("web=x.org:5000/web:1", Image("web", "x.org:5000/web", new_tag="1")),
    ],
)
def test_images_are_written_as_kustomize_takes_them(text: str, image: Image) -> None:
    assert parse_image(text) == image


@pytest.mark.parametrize("text", ["web", "web=", "=1", "web=x.org:5000/web"])
def test_what_is_no_image_is_refused(text: str) -> None:
    with pytest.raises(Stalled, match="Write NAME="):
        parse_image(text)
