"""Keys of plans' hashes: those of the store, and one's own where it has none."""

from __future__ import annotations

from pathlib import Path

from controller.model import EnvironmentName
from controller.runtime import CredentialStore, PlanKeys

DEV, PROD = EnvironmentName("dev"), EnvironmentName("prod")


def test_the_store_s_key_is_the_same_for_all_and_one_s_own_stays_while_the_process_lives(tmp_path: Path) -> None:
    (tmp_path / "plan-keys").mkdir()
    (tmp_path / "plan-keys" / "dev").write_bytes(b"k" * 32)
    keys, others = PlanKeys(CredentialStore(tmp_path)), PlanKeys(CredentialStore(tmp_path))
    assert keys.of(DEV).reveal() == others.of(DEV).reveal() == b"k" * 32
    assert keys.shared(PROD) is None
    assert keys.of(PROD).reveal() == keys.of(PROD).reveal() != others.of(PROD).reveal()
    assert keys.place(PROD) == str(tmp_path / "plan-keys" / "prod")
