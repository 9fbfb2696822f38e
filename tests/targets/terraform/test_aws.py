"""Buckets, tables and the like, with the provider that people use, against a cloud that speaks as AWS does.

Needs the AWS provider on this machine: CONVERGE_AWS_PROVIDER_MIRROR names the mirror that holds it, else the usual
places are searched.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from controller.model import Action, Cause, Plan
from tests.cluster.cache import cache_directory, locked
from tests.fixtures.terraform import FakeCloud, terraform_path
from tests.targets.terraform.placing import open_place, render

pytestmark = [pytest.mark.terraform, pytest.mark.slow, pytest.mark.timeout(900)]

HERE = Path(__file__).parent / "aws"
PLACES = ("/opt", "/usr/share/terraform", "/usr/local/share/terraform", "~/.terraform.d", "~/.cache/converge")
INSTALL_SECONDS = 900
ANSWER_SECONDS = 60
MODULE = b"""
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
provider "aws" {
  region = "us-east-1"
}
resource "aws_s3_bucket" "logs" {
  bucket = "shop-logs"
}
resource "aws_dynamodb_table" "orders" {
  name         = "orders"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "id"
  attribute {
    name = "id"
    type = "S"
  }
}
resource "aws_vpc" "net" {
  cidr_block = "10.0.0.0/16"
}
resource "aws_security_group" "web" {
  name   = "web"
  vpc_id = aws_vpc.net.id
  ingress {
    from_port   = 443
    to_port     = 443
    protocol    = "tcp"
    cidr_blocks = ["10.0.0.0/8"]
  }
}
resource "aws_ssm_parameter" "size" {
  name  = "/shop/size"
  type  = "String"
  value = "10"
}
output "bucket" {
  value = aws_s3_bucket.logs.arn
}
"""


@dataclass
class Aws:
    """The cloud's process, and a person's hands."""

    process: asyncio.subprocess.Process
    url: str

    async def ask(self, *question: Any) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(question).encode() + b"\n")
        await self.process.stdin.drain()
        async with asyncio.timeout(ANSWER_SECONDS):
            return json.loads(await self.process.stdout.readline())


@pytest.fixture(scope="session")
def mirror() -> Path:
    """Find a mirror that holds the AWS provider."""
    if terraform_path() is None:
        pytest.skip("needs terraform or tofu on PATH")
    named = os.environ.get("CONVERGE_AWS_PROVIDER_MIRROR")
    for place in [named] if named else PLACES:
        root = Path(place).expanduser()
        for program in sorted(root.rglob("terraform-provider-aws_v*")) if root.is_dir() else ():
            return program.parents[5]  # host/namespace/type/version/machine/program
    pytest.skip("the AWS provider is not on this machine: name its mirror in CONVERGE_AWS_PROVIDER_MIRROR")


@pytest.fixture(scope="session")
def python() -> Path:
    """Make moto's own virtual environment, once per machine."""
    wanted = (HERE / "requirements.txt").read_bytes() + f"{sys.version_info[:2]} {sys.executable}".encode()
    directory = cache_directory() / f"moto-{hashlib.sha256(wanted).hexdigest()[:16]}"
    program = directory / "bin" / "python"
    with locked(cache_directory() / "moto"):
        if not (directory / "whole").exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", directory], check=True, timeout=INSTALL_SECONDS)
            done = subprocess.run(
                [program, "-m", "pip", "install", "-q", "--require-hashes", "-r", HERE / "requirements.txt"],
                capture_output=True,
                text=True,
                check=False,
                timeout=INSTALL_SECONDS,
            )
            if done.returncode:
                pytest.skip(f"moto can't be installed: {done.stderr.strip()[-300:]}")
            (directory / "whole").touch()
    return program


@pytest.fixture
async def aws(python: Path) -> AsyncIterator[Aws]:
    process = await asyncio.create_subprocess_exec(
        str(python),
        str(HERE / "cloud.py"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    async with asyncio.timeout(ANSWER_SECONDS):
        url = json.loads(await process.stdout.readline())
    yield Aws(process, url)
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()


@pytest.fixture
def cloud(mirror: Path, aws: Aws, tmp_path: Path) -> FakeCloud:
    configuration = tmp_path / "terraform.rc"
    configuration.write_text(
        f'disable_checkpoint = true\nprovider_installation {{\n  filesystem_mirror {{ path = "{mirror}" }}\n}}\n'
    )
    folder = tmp_path / "credentials" / "aws"
    folder.mkdir(parents=True)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_ENDPOINT_URL": aws.url,
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        (folder / name).write_text(value)
    (tmp_path / "states").mkdir()
    return FakeCloud(tmp_path, tmp_path / "states", configuration)


def drifted(plan: Plan) -> dict[str, str]:
    return {one.key.name: str(one.action) for one in plan.objects if one.is_drifted}


async def test_what_somebody_did_with_boto3_is_found_named_and_put_back(
    cloud: FakeCloud, aws: Aws, tmp_path: Path
) -> None:
    desired = render({"infra/main.tf": MODULE})
    async with open_place(cloud, tmp_path, credentials=("aws",)) as place:
        first = await place.converge(desired)
        assert first.failure is None
        seen = await place.observe(desired)
        assert seen.outputs == {"bucket": "arn:aws:s3:::shop-logs"}
        group = next(one.uid for one in seen.objects if one.key.kind == "aws_security_group")
    async with open_place(cloud, tmp_path, credentials=("aws",)) as place:
        await place.observe(desired)
        assert drifted(await place.plan(desired)) == {}

    await aws.ask("s3", "delete_bucket", {"Bucket": "shop-logs"})
    await aws.ask("ssm", "put_parameter", {"Name": "/shop/size", "Value": "80", "Overwrite": True})
    rule = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    await aws.ask("ec2", "authorize_security_group_ingress", {"GroupId": group, "IpPermissions": [rule]})
    async with open_place(cloud, tmp_path, credentials=("aws",)) as place:
        await place.observe(desired)
        plan = await place.plan(desired)
        assert drifted(plan) == {
            "aws_s3_bucket.logs": "create",
            "aws_security_group.web": "change",
            "aws_ssm_parameter.size": "change",
        }
        assert all(one.cause is Cause.DRIFT for one in plan.objects if one.action is not Action.NOTHING)
        assert (await place.apply(plan)).failure is None
    answer = await aws.ask("ssm", "get_parameter", {"Name": "/shop/size"})
    assert answer["Parameter"]["Value"] == "10"
    found = await aws.ask("ec2", "describe_security_groups", {"GroupIds": [group]})
    assert [one["FromPort"] for one in found["SecurityGroups"][0]["IpPermissions"]] == [443]


async def test_a_total_loss_is_rebuilt_though_an_answer_gets_lost(cloud: FakeCloud, aws: Aws, tmp_path: Path) -> None:
    desired = render({"infra/main.tf": MODULE})
    async with open_place(cloud, tmp_path, credentials=("aws",)) as place:
        assert (await place.converge(desired)).failure is None
    await aws.ask("reset")
    async with open_place(cloud, tmp_path, credentials=("aws",)) as place:
        await place.observe(desired)
        plan = await place.plan(desired)
        assert len(drifted(plan)) >= 5
        await aws.ask("lose", "CreateTable")
        assert (await place.apply(plan)).failure is None
    listed = await aws.ask("dynamodb", "list_tables", {})
    assert listed["TableNames"] == ["orders"]
