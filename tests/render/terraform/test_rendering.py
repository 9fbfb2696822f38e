"""A workspace's Manifest: which files, variables and uses it holds, and what is refused with file and line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from controller.config import read_platform, violations
from controller.documents import decode
from controller.model import PLATFORM, CommitId, Invalid, MemoryTree, RepositoryName, Revision, Stalled
from controller.render import Rendered, RenderRequest
from controller.render.terraform import render_workspace
from tests.engine.make import placement

MAIN = b'resource "aws_s3_bucket" "logs" {\n  bucket = var.name\n}\nvariable "name" {}\n'
REVISION = Revision(CommitId("a" * 40), CommitId("b" * 40))
OVERLAYS = ("overlays/prod", "overlays/prod/shop", "overlays/prod/shop/cloud")


def render(files: Mapping[str, bytes], platform: Mapping[str, bytes] | None = None, **said: Any) -> Rendered:
    return render_workspace(
        RenderRequest(
            placement=placement(target="cloud"),
            revision=REVISION,
            application=MemoryTree(files, RepositoryName("shop"), REVISION.application),
            path="deploy",
            platform=MemoryTree(platform or {}, PLATFORM, REVISION.platform),
            overlays=OVERLAYS,
            **said,
        )
    )


def body(rendered: Rendered) -> Any:
    (manifest,) = rendered.desired.manifests
    return decode(manifest.body)


def test_a_workspace_holds_its_module_and_those_it_calls_and_nothing_else() -> None:
    found = body(
        render(
            {
                "deploy/infra/main.tf": MAIN + b'module "net" {\n  source = "../../modules/net"\n}\n',
                "deploy/infra/.terraform.lock.hcl": b"# lock\n",
                "deploy/infra/files/a.bin": b"\xff\x00",
                "deploy/web.yaml": b"kind: Deployment\n",
                "modules/net/main.tf": b'resource "aws_vpc" "x" {}\n',
                "modules/other/main.tf": b"",
            }
        )
    )
    assert found["root"] == "deploy/infra"
    assert set(found["files"]) == {"deploy/infra/main.tf", "deploy/infra/.terraform.lock.hcl", "modules/net/main.tf"}
    assert set(found["binaries"]) == {"deploy/infra/files/a.bin"}
    assert [one["name"] for one in found["uses"]["kinds"]] == ["aws_s3_bucket", "aws_vpc"]
    assert found["nodes"] == ["aws_s3_bucket.logs", "module.net"]


def test_overlays_add_values_and_overrides_from_wide_to_narrow() -> None:
    found = body(
        render(
            {"deploy/main.tf": MAIN},
            {
                "overlays/prod/all.tfvars": b'name = "wide"\n',
                "overlays/prod/shop/size_override.tf": b"# o\n",
                "overlays/prod/shop/size.auto.tfvars": b'name = "narrow"\n',
                "overlays/prod/shop/kustomization.yaml": b"",
            },
        )
    )
    added = sorted(one for one in found["files"] if "zz_converge" in one)
    assert added == [
        "deploy/zz_converge_1_all.auto.tfvars",
        "deploy/zz_converge_2_size.auto.tfvars",
        "deploy/zz_converge_2_size_override.tf",
    ]
    assert found["origins"]["deploy/zz_converge_2_size_override.tf"] == "overlays/prod/shop/size_override.tf"


def test_parameters_reach_a_module_that_declares_them() -> None:
    assert body(render({"deploy/main.tf": MAIN}, parameters={"name": "x", "replicas": 3}))["variables"] == {"name": "x"}


def test_a_comment_asks_for_no_new_init_and_a_provider_does() -> None:
    before = body(render({"deploy/main.tf": MAIN}))["needs"]
    assert body(render({"deploy/main.tf": b"# x\n" + MAIN}))["needs"] == before
    assert body(render({"deploy/main.tf": MAIN + b'data "google_project" "x" {}\n'}))["needs"] != before


def test_the_same_files_at_another_commit_are_the_same_workspace() -> None:
    one, other = render({"deploy/main.tf": MAIN}), render({"deploy/main.tf": MAIN, "README.md": b"x"})
    assert one.desired.digest == other.desired.digest


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b'data "external" "x" {\n  program = ["id"]\n}\n', "deploy/main.tf:1: an external data source"),
        (b'resource "a_b" "c" {\n  provisioner "local-exec" {\n  }\n}\n', "deploy/main.tf:2: provisioner local-exec"),
        (b"terraform {\n  cloud {\n  }\n}\n", "deploy/main.tf:1: a `cloud` block"),
        (b'module "x" {\n  source = "../../x"\n}\n', "deploy/main.tf:2: ../../x of module x leads out"),
        (b'module "x" {\n  source = var.x\n}\n', "deploy/main.tf:1: the source of module x is no plain text"),
        (b'module "x" {\n  source = "/srv/x"\n}\n', "deploy/main.tf:2: /srv/x of module x is a path"),
    ],
    ids=["external", "provisioner", "cloud", "a_module_outside", "a_computed_source", "a_path_of_a_machine"],
)
def test_what_is_refused_says_where(text: bytes, said: str) -> None:
    with pytest.raises(Invalid) as raised:
        render({"deploy/main.tf": text})
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"deploy/web.yaml": b""}, "no Terraform module"),
        ({"other/main.tf": b""}, "no such folder"),
        ({"deploy/a/main.tf": b"", "deploy/b/main.tf": b""}, "deploy/a, deploy/b are modules of their own"),
        ({"deploy/main.tf": b'module "x" {\n  source = "./x"\n}\n'}, "deploy/x"),
    ],
    ids=["no_module", "no_folder", "two_modules", "a_call_to_nothing"],
)
def test_a_placement_has_one_module(files: Mapping[str, bytes], said: str) -> None:
    with pytest.raises(Stalled, match=said):
        render(files)


def test_an_overlay_that_is_no_override_is_refused() -> None:
    with pytest.raises(Invalid, match=r"overlays/prod/more\.tf"):
        render({"deploy/main.tf": MAIN}, {"overlays/prod/more.tf": b""})


def test_components_of_an_application_file_name_the_module() -> None:
    application = (
        b"apiVersion: converge/v1\nkind: Application\nmetadata: {name: shop}\n"
        b"spec:\n  components:\n  - {name: web, path: web}\n  - {name: db, path: db, type: terraform}\n"
    )
    files = {"deploy/converge.yaml": application, "deploy/web/a.yaml": b"", "deploy/db/main.tf": MAIN}
    assert body(render(files))["root"] == "deploy/db"


PLATFORM_FILE = """
apiVersion: converge/v1
kind: Platform
metadata: {{name: acme}}
spec:
  installation: 3c9e0f0a-6d0e
  repositories:
    shop: {{url: /srv/shop.git, may: {may}}}
"""
ENVIRONMENT_FILE = b"""
apiVersion: converge/v1
kind: Environment
metadata: {name: prod}
spec:
  targets: {cloud: {terraform: {}}}
  applications: {shop: {repository: shop}}
"""


@pytest.mark.parametrize(
    ("may", "said"),
    [
        ("{}", ["deploy/main.tf:6: repository shop may not use the module acme/net/aws"]),
        ("{modules: [acme/*]}", []),
        (
            "{modules: [acme/*], providers: [hashicorp/google]}",
            ["deploy/main.tf:1: repository shop may not"],
        ),
        ("{modules: [acme/*], kinds: [terraform/aws_vpc]}", ["deploy/main.tf:1: aws_s3_bucket: the kind is none of"]),
        ("{modules: [acme/*], providers: [hashicorp/*], kinds: [terraform/aws_*]}", []),
    ],
    ids=["modules_from_elsewhere_need_a_yes", "a_module", "a_provider", "a_kind", "all_allowed"],
)
def test_a_repository_uses_what_it_may(may: str, said: list[str]) -> None:
    tree = {"converge.yaml": PLATFORM_FILE.format(may=may).encode(), "environments/prod.yaml": ENVIRONMENT_FILE}
    rendered = render({"deploy/main.tf": MAIN + b'module "net" {\n  source = "acme/net/aws"\n}\n'})
    found = [str(one).replace('"', "") for one in violations(read_platform(MemoryTree(tree)), rendered.desired)]
    assert len(found) == len(said)
    assert all(one.startswith(start) for one, start in zip(found, said, strict=True))


def test_what_opentofu_reads_in_place_of_terraform_s_files_is_told_apart() -> None:
    files = {
        "deploy/main.tf": MAIN,
        "deploy/net.tf": b'resource "aws_vpc" "old" {}\n',
        "deploy/net.tofu": b'resource "aws_vpc" "new" {}\n',
    }
    found = body(render(files))
    assert found["nodes"] == ["aws_s3_bucket.logs", "aws_vpc.old"]
    assert found["tofu"] == ["aws_s3_bucket.logs", "aws_vpc.new"]
