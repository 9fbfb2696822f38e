"""The image that `Dockerfile` describes builds, and `converge` works in it as nobody special."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.sops import Encryption
from tests.image.builder import Image, Unavailable, build, debian, is_sent
from tests.image.dockerfile import read

ROOT = Path(__file__).parents[2]
TERRAFORM_IMAGE = "a-registry-of-ours/terraform:1"
HELM_IMAGE = "a-registry-of-ours/helm:3"
SOPS_IMAGE = "a-registry-of-ours/sops:3"


def test_the_image_runs_as_nobody_special() -> None:
    last = read((ROOT / "Dockerfile").read_text(), {})[-1]
    (user,) = [step.text for step in last.steps if step.name == "USER"]
    assert user.partition(":")[0].isdigit(), "a number: Kubernetes can't tell a name from root (runAsNonRoot)"
    assert user.partition(":")[0] != "0"


@pytest.mark.parametrize(
    ("path", "sent"),
    [("controller", True), ("requirements/runtime.txt", True), (".git", False), (".env", False), ("tests", False)],
)
def test_only_what_is_named_is_sent_to_the_builder(path: str, *, sent: bool) -> None:
    assert is_sent(path, (ROOT / ".dockerignore").read_text().splitlines()) is sent


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory, helm: Path, sops: Encryption) -> Iterator[Image]:
    """Build the image, once; skipped, with the reason, where this machine can't."""
    terraform = shutil.which("terraform") or shutil.which("tofu")
    if terraform is None:
        pytest.skip("no image: terraform is missing, which it copies from another image")
    try:
        base = debian()
    except Unavailable as why:
        pytest.skip(f"no image: {why}")
    folder = tmp_path_factory.mktemp("image")
    other = folder / "terraform"
    (other / "bin").mkdir(parents=True)
    shutil.copy(terraform, other / "bin" / "terraform")
    helms = folder / "helm"
    (helms / "usr" / "bin").mkdir(parents=True)
    shutil.copy(helm, helms / "usr" / "bin" / "helm")
    encryption = folder / "sops"
    (encryption / "usr" / "local" / "bin").mkdir(parents=True)
    shutil.copy(sops.program, encryption / "usr" / "local" / "bin" / "sops")
    names = {"TERRAFORM_IMAGE": TERRAFORM_IMAGE, "HELM_IMAGE": HELM_IMAGE, "SOPS_IMAGE": SOPS_IMAGE}
    stages = read((ROOT / "Dockerfile").read_text(), names)
    images = {"debian:12-slim": base, TERRAFORM_IMAGE: other, HELM_IMAGE: helms, SOPS_IMAGE: encryption}
    yield build(stages, ROOT, images, folder / "stages")
    shutil.rmtree(folder, ignore_errors=True)  # a gigabyte


@pytest.mark.slow
@pytest.mark.helm
@pytest.mark.sops
@pytest.mark.timeout(1800)
class TestBuilt:
    def test_converge_makes_a_platform_that_validates(self, image: Image) -> None:
        assert image.entrypoint[-1] == "converge"
        for argv in (("--version",), ("init", "/tmp/platform"), ("validate", "--offline", "/tmp/platform")):
            done = image.run([*image.entrypoint, *argv])
            assert done.returncode == 0, done.stderr
        assert done.stdout == "valid\n"

    def test_the_programs_that_it_calls_are_there(self, image: Image) -> None:
        for argv in (["git", "--version"], ["ssh", "-V"], ["gpg", "--version"], ["ps", "--version"]):
            assert image.run(argv).returncode == 0, argv
        assert image.run(["helm", "version"]).returncode == 0
        assert image.run(["sops", "--version", "--disable-version-check"]).returncode == 0
        assert "Terraform" in image.run(["terraform", "version"]).stdout

    def test_it_may_write_its_cache_and_nothing_of_the_system(self, image: Image) -> None:
        assert image.run(["touch", "/var/cache/converge/x"]).returncode == 0
        for path in ("/opt/converge/x", "/etc/converge/x", "/usr/local/bin/x"):
            assert image.run(["touch", path]).returncode != 0, path

    def test_nothing_that_builds_is_left_in_it(self, image: Image) -> None:
        assert image.run(["/opt/converge/bin/python3", "-c", "import pip"]).returncode != 0
        assert not (image.root / "src").exists()
