"""The examples of docs/secrets.md: encrypted as the page says, and rendered."""

from __future__ import annotations

import base64
import re
import subprocess
from pathlib import Path

import pytest

from controller.config import read_platform
from controller.documents import decode
from controller.model import PLATFORM, MemoryTree
from tests.fixtures.age import AgeKey
from tests.fixtures.sops import Encryption
from tests.render.test_encrypted import House

PAGE = Path(__file__).parents[2] / "docs" / "secrets.md"
EXAMPLES: dict[str, str] = dict(re.findall(r"```\w+ (\S+)\n(.*?)```", PAGE.read_text(), re.DOTALL))
CONVERGE = b"""apiVersion: converge/v1
kind: Platform
metadata: {name: acme}
spec:
  installation: 3c9e0000-0000-4000-8000-000000000000
  repositories: {billing: {url: "https://git.example.com/billing.git"}, shop: {url: "https://git.example.com/shop.git"}}
"""


@pytest.mark.sops
def test_files_encrypted_as_the_page_says_are_rendered(sops: Encryption, tmp_path: Path) -> None:
    house = House(sops, AgeKey(), tmp_path / "credentials")
    house.give(house.key)
    work = tmp_path / "work"
    for path, text in EXAMPLES.items():
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).write_text(text.replace("RECIPIENT", house.key.recipient))
    for path in ("deploy/db.enc.yaml", "deploy/mail.enc.env"):
        subprocess.run([sops.program, "encrypt", "--in-place", path], cwd=work, check=True, timeout=60)
        assert b"ENC[AES256_GCM" in (work / path).read_bytes()
    files = {str(one.relative_to(work)): one.read_bytes() for one in (work / "deploy").iterdir()}
    manifests = house.rendered(files).desired.manifests
    found = {one.key.name.rpartition("-")[0] or one.key.name: decode(one.body) for one in manifests}
    values = {name: {key: base64.b64decode(one).decode() for key, one in body["data"].items()}  # type: ignore[index,call-overload,union-attr,arg-type]
              for name, body in found.items()}  # fmt: skip
    assert values == {
        "db": {"password": "correct horse battery staple"},
        "mail": {"SMTP_USER": "shop", "SMTP_PASSWORD": "tr0ub4dor"},
    }


def test_an_entrys_key_goes_before_that_of_the_pages_environment() -> None:
    text = EXAMPLES["environments/prod.yaml"] + "    shop: {repository: shop, targets: [hangzhou]}\n"
    platform = read_platform(MemoryTree({"converge.yaml": CONVERGE, "environments/prod.yaml": text.encode()}, PLATFORM))
    (environment,) = platform.environments.values()
    keys = {str(one.name): one.decryption.credential for one in environment.applications.values()}
    assert keys == {"billing": "sops-billing", "shop": "sops-prod"}
    assert all(one.decryption.only_encrypted for one in environment.applications.values())
