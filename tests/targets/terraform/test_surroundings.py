"""What runs get: their variables, and a place for what holds secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.model import Secret, Stalled, Unequipped
from controller.runtime import CredentialStore
from controller.targets.terraform.surroundings import is_in_memory, surroundings, variables_of


def given(folder: Path, *names: str) -> set[str]:
    (folder / "some").mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / "some" / name).write_text("a value")
    return set(variables_of(("some",), CredentialStore(folder)))


def test_a_credential_gives_the_variables_that_its_files_are_called_like(tmp_path: Path) -> None:
    names = {
        "AWS_ACCESS_KEY_ID",
        "TF_VAR_token",
        "TF_TOKEN_registry_example_com",
        "TF_ENCRYPTION",
        "TF_HTTP_USERNAME",
        "TF_HTTP_PASSWORD",
    }
    assert given(tmp_path, *names, "README.md", "age.key") == names


@pytest.mark.parametrize("name", ["PATH", "HOME", "TF_LOG", "TF_CLI_ARGS", "TF_DATA_DIR", "TF_HTTP_ADDRESS"])
def test_how_terraform_runs_is_not_a_credential_s_to_say(tmp_path: Path, name: str) -> None:
    with pytest.raises(Stalled, match=name):
        given(tmp_path, "AWS_ACCESS_KEY_ID", name)


def test_a_run_gets_the_machine_s_proxy_and_certificates_and_nothing_else_of_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.com:3128")
    monkeypatch.setenv("NO_PROXY", "10.0.0.0/8")
    monkeypatch.setenv("SSL_CERT_FILE", "/etc/ssl/our-own.pem")
    monkeypatch.setenv("AWS_PROFILE", "somebody's")
    monkeypatch.setenv("TF_CLI_ARGS_plan", "-target=x")
    own = {"AWS_CA_BUNDLE": Secret(b"/etc/ssl/clouds.pem"), "NO_PROXY": Secret(b"10.0.0.0/8,cloud.example.com")}
    with surroundings(tmp_path / "cache", None, (), tmp_path) as found:
        env = found.environment(own, data=tmp_path / "data")
    assert (env["HTTPS_PROXY"], env["SSL_CERT_FILE"]) == ("http://proxy.example.com:3128", "/etc/ssl/our-own.pem")
    assert (env["AWS_CA_BUNDLE"], env["NO_PROXY"]) == ("/etc/ssl/clouds.pem", "10.0.0.0/8,cloud.example.com")
    assert not env.keys() & {"AWS_PROFILE", "TF_CLI_ARGS_plan"}


def test_a_machine_without_a_tmpfs_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if is_in_memory(tmp_path):
        pytest.skip("the tests' own folder is on a tmpfs here")
    monkeypatch.setattr("controller.targets.terraform.surroundings.MEMORY", tmp_path)
    with pytest.raises(Unequipped, match="is no tmpfs"), surroundings(tmp_path / "cache", None, ()):
        pass
    monkeypatch.setattr("controller.targets.terraform.surroundings.MEMORY", tmp_path / "nothing")
    with pytest.raises(Unequipped, match="can't be written to"), surroundings(tmp_path / "cache", None, ()):
        pass
    assert not (tmp_path / "cache").exists()


def test_a_folder_that_an_operator_names_holds_all_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.targets.terraform.surroundings.MEMORY", tmp_path / "nothing")
    encrypted = tmp_path / "encrypted"
    encrypted.mkdir()
    with (
        surroundings(tmp_path / "cache", None, (), encrypted) as one,
        surroundings(tmp_path / "cache", None, (), encrypted) as other,
    ):
        assert one.work != other.work
        for shared in (one, other):
            assert shared.work.parent == encrypted
            assert shared.work.stat().st_mode & 0o077 == 0
    assert list(encrypted.iterdir()) == []
