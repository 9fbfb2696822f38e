"""Modules of other repositories of the platform: laid beside the workspace's own, at the commit that was seen."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import pytest

from controller.documents import canonical, decode
from controller.model import PLATFORM, CommitId, Invalid, MemoryTree, RepositoryName, Revision
from controller.render import Lender, ModuleFolder, ModuleHead, Needed, Rendered, RenderRequest, Surroundings
from controller.render.terraform import render_workspace
from controller.render.terraform.lending import Address, address_of
from tests.engine.make import placement

URL = "https://git.example.com/infra/modules.git"
CALL = b'module "net" {\n  source = "git::%s//%s?ref=%s"\n}\n'
LENT = {
    "net/main.tf": b'module "zone" {\n  source = "../zone"\n}\n',
    "zone/main.tf": b'resource "aws_route53_zone" "x" {}\n',
    "zone/notes.txt": b"one\n",
    "other/main.tf": b'resource "aws_vpc" "x" {}\n',
}


def call(folder: str = "net", ref: str = "v1", url: str = URL) -> bytes:
    return CALL % (url.encode(), folder.encode(), ref.encode())


def folder_of(files: Mapping[str, bytes], folder: str) -> bytes:
    inside = {path: base64.b64encode(data).decode() for path, data in files.items() if path.startswith(f"{folder}/")}
    return canonical({**inside})


def render(files: Mapping[str, bytes], lent: Mapping[str, bytes] = LENT, commit: str = "c", url: str = URL) -> Rendered:
    """Render as the engine does: what is needed is done, and rendering begins anew."""
    prepared: dict[Any, Any] = {}
    while True:
        request = RenderRequest(
            placement=placement(target="cloud"),
            revision=Revision(CommitId("a" * 40), CommitId("b" * 40)),
            application=MemoryTree(files, RepositoryName("shop"), CommitId("a" * 40)),
            path="deploy",
            platform=MemoryTree({}, PLATFORM, CommitId("b" * 40)),
            prepared=prepared,
            surroundings=Surroundings(modules={url: Lender("infra")}),
        )
        try:
            return render_workspace(request)
        except Needed as needed:
            for need in needed.needs:
                match need:
                    case ModuleHead():
                        prepared[need.digest] = canonical({"commit": commit * 40})
                    case ModuleFolder():
                        prepared[need.digest] = folder_of(lent, need.folder)


def body(rendered: Rendered) -> Any:
    (manifest,) = rendered.desired.manifests
    return decode(manifest.body)


def test_a_module_comes_with_those_that_it_calls_and_its_call_leads_there() -> None:
    found = body(render({"deploy/main.tf": call()}))
    home = Address(URL, "net", "v1").home
    assert set(found["files"]) == {
        "deploy/main.tf",
        "deploy/zz_converge_modules_override.tf.json",
        f"{home}/net/main.tf",
        f"{home}/zone/main.tf",
        f"{home}/zone/notes.txt",
    }
    override = decode(found["files"]["deploy/zz_converge_modules_override.tf.json"].encode())
    assert override == {"module": {"net": {"source": f"../{home}/net"}}}
    assert found["origins"][f"{home}/zone/main.tf"] == f"{URL}//zone/main.tf"
    source = f"git::{URL}//net?ref=v1"
    assert found["uses"]["modules"] == [{"name": source, "path": "deploy/main.tf", "line": 2}]
    kinds = [(one["name"], one["path"]) for one in found["uses"]["kinds"]]
    assert kinds == [("aws_route53_zone", f"{URL}//zone/main.tf")]


def test_a_branch_that_moved_is_another_workspace_and_a_commit_without_it_is_none() -> None:
    files = {"deploy/main.tf": call(ref="main")}
    before = render(files)
    same = render(files, commit="d")
    moved = render(files, {**LENT, "zone/notes.txt": b"two\n"}, commit="e")
    assert same.desired == before.desired
    assert (before.follows, same.follows) == ((f"{URL} main {'c' * 40}",), (f"{URL} main {'d' * 40}",))
    assert moved.desired.digest != before.desired.digest
    assert moved.desired.inputs != before.desired.inputs


def test_what_names_a_commit_follows_nothing() -> None:
    assert render({"deploy/main.tf": call(ref="c" * 40)}).follows == ()


def test_a_repository_that_the_platform_does_not_name_is_left_to_terraform() -> None:
    found = body(render({"deploy/main.tf": call(url="https://elsewhere.example.com/x.git")}))
    assert set(found["files"]) == {"deploy/main.tf"}
    assert found["uses"]["modules"][0]["name"].startswith("git::https://elsewhere.example.com/")


def test_what_is_not_there_or_runs_a_program_is_told_with_its_line() -> None:
    with pytest.raises(Invalid, match=r"deploy/main\.tf:2: .* has no Terraform module in gone"):
        render({"deploy/main.tf": call("gone")})
    lent = {"net/main.tf": b'\ndata "external" "x" {}\n'}
    with pytest.raises(Invalid, match=r"modules\.git//net/main\.tf:2: an external data source"):
        render({"deploy/main.tf": call()}, lent)


@pytest.mark.parametrize(
    ("source", "address"),
    [
        (f"git::{URL}//a/b?ref=v1", Address(URL, "a/b", "v1")),
        (f"git::{URL}", Address(URL, "", "")),
        (f"git::{URL}?ref=v1&depth=1", Address(URL, "", "v1")),
        ("git::ssh://git@git.example.com/x.git//a", Address("ssh://git@git.example.com/x.git", "a", "")),
        (f"git::{URL}//../a", None),
        (f"git::{URL}?sshkey=x", None),
        ("hashicorp/consul/aws", None),
        ("../a", None),
    ],
)
def test_a_source_is_an_address_of_git(source: str, address: Address | None) -> None:
    assert address_of(source) == address
