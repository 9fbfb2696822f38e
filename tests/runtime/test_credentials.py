from __future__ import annotations

import pickle
import traceback
from pathlib import Path

import pytest

from controller.model import Stalled
from controller.runtime import CredentialStore


def make(root: Path, name: str, **values: str) -> Path:
    folder = root / name
    folder.mkdir(parents=True, exist_ok=True)
    for key, value in values.items():
        (folder / key.replace("_", "-")).write_text(value)
    return folder


def test_values_are_read_by_name_without_their_last_newline(tmp_path: Path) -> None:
    make(tmp_path, "shop", username="robot\n", password="hunter2\n")
    credential = CredentialStore(tmp_path).get("shop")
    assert credential.username.reveal_text() == "robot"
    assert credential.password.reveal_text() == "hunter2"
    assert credential.token is None


def test_keys_keep_every_byte(tmp_path: Path) -> None:
    make(tmp_path, "shop", ssh_privatekey="-----BEGIN\n-----END\n")
    assert CredentialStore(tmp_path).get("shop").ssh_private_key.reveal().endswith(b"END\n")


def test_other_files_are_found_by_their_name(tmp_path: Path) -> None:
    (make(tmp_path, "cloud") / "AWS_ACCESS_KEY_ID").write_text("AK\n")
    assert CredentialStore(tmp_path).get("cloud").value("AWS_ACCESS_KEY_ID").reveal_text() == "AK"


def test_a_changed_value_counts_from_the_next_use_on(tmp_path: Path) -> None:
    folder = make(tmp_path, "shop", token="old")
    store = CredentialStore(tmp_path)
    assert store.get("shop").token.reveal_text() == "old"
    (folder / "token").write_text("newer")
    assert store.get("shop").token.reveal_text() == "newer"


def test_an_unchanged_credential_is_not_read_again(tmp_path: Path) -> None:
    make(tmp_path, "shop", token="same")
    store = CredentialStore(tmp_path)
    assert store.get("shop") is store.get("shop")


def test_a_mounted_secret_that_moves_its_data_is_read_again(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    for version in ("one", "two"):
        (folder / f"..{version}").mkdir(parents=True)
        (folder / f"..{version}" / "token").write_text(version)
    (folder / "..data").symlink_to("..one")
    (folder / "token").symlink_to("..data/token")
    store = CredentialStore(tmp_path)
    assert store.get("shop").token.reveal_text() == "one"
    (folder / "..tmp").symlink_to("..two")
    (folder / "..tmp").rename(folder / "..data")
    assert store.get("shop").token.reveal_text() == "two"
    assert set(store.get("shop").values) == {"token"}


@pytest.mark.parametrize("name", ["", "..", "a/b", "/etc", ".hidden", "a/../../etc", "a..b", "-x", "x\n", "x" * 300])
def test_names_that_leave_the_store_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(Stalled, match="credential's name"):
        CredentialStore(tmp_path).get(name)


def test_a_missing_credential_says_what_to_make(tmp_path: Path) -> None:
    with pytest.raises(Stalled, match=r"username and password, or token, or ssh-privatekey"):
        CredentialStore(tmp_path).get("shop")


def test_a_value_shows_itself_nowhere(tmp_path: Path) -> None:
    make(tmp_path, "shop", token="canary-4711")
    credential = CredentialStore(tmp_path).get("shop")
    assert "canary-4711" not in f"{credential} {credential!r} {credential.values}"
    with pytest.raises(TypeError) as caught:
        pickle.dumps(credential)
    assert "canary-4711" not in "".join(traceback.format_exception(caught.value))


def test_a_file_too_large_for_a_secret_is_refused(tmp_path: Path) -> None:
    make(tmp_path, "shop", token="x" * (1 << 20) + "x")
    with pytest.raises(Stalled, match="that is no credential"):
        CredentialStore(tmp_path).get("shop")
