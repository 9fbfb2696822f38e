"""What OpenTofu alone does: files of its own, and states and plans that it encrypts itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.model import State
from tests.fixtures.terraform import FakeCloud
from tests.targets.terraform.placing import nothing, open_place, render

pytestmark = [pytest.mark.terraform, pytest.mark.tofu, pytest.mark.slow, pytest.mark.timeout(400)]

THING = 'resource "fake_thing" "{0}" {{\n  name = "{0}"\n  body = "s3cr3t-canary"\n}}\n'
ENCRYPTION = """
key_provider "pbkdf2" "k" {
  passphrase = "only-for-the-length-of-this-test"
}
method "aes_gcm" "m" {
  keys = key_provider.pbkdf2.k
}
state {
  method = method.aes_gcm.m
}
plan {
  method = method.aes_gcm.m
}
"""


@pytest.mark.parametrize("fake_cloud", ["tofu"], indirect=True)
async def test_an_encrypted_state_is_read_corrected_and_destroyed_without_a_file_of_git(
    fake_cloud: FakeCloud, tmp_path: Path
) -> None:
    folder = tmp_path / "credentials" / "encryption"
    folder.mkdir(parents=True)
    (folder / "TF_ENCRYPTION").write_text(ENCRYPTION)
    files = {
        "infra/main.tf": fake_cloud.module(THING.format("web")),
        "infra/more.tf": THING.format("unread").encode(),
        "infra/more.tofu": THING.format("read").encode(),
    }
    desired = render(files)
    async with open_place(fake_cloud, tmp_path, credentials=("encryption",)) as place:
        assert (await place.converge(desired)).failure is None
        assert (fake_cloud.get("unread"), bool(fake_cloud.get("read"))) == (None, True)
        fake_cloud.edit("web", body="by hand")
    state = (fake_cloud.states / "prod-shop.tfstate").read_text()
    assert "encrypted_data" in state
    assert "s3cr3t-canary" not in state
    async with open_place(fake_cloud, tmp_path, credentials=("encryption",)) as place:
        assert (await place.observe(desired)).applied == desired.revision
        plan = await place.plan(desired)
        assert (plan.pending, plan.drifted) == (0, 1)
        assert (await place.apply(plan)).failure is None
    async with open_place(fake_cloud, tmp_path, credentials=("encryption",)) as place:
        ending = await place.plan(nothing(desired), State.REMOVED)
        assert (await place.apply(ending, State.REMOVED)).failure is None
    assert (fake_cloud.get("web"), fake_cloud.get("read")) == (None, None)
