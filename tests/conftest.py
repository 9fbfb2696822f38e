"""Fixtures that every room's tests may ask for."""

from __future__ import annotations

import signal
import threading

pytest_plugins = [
    "tests.fixtures.cluster",
    "tests.fixtures.git",
    "tests.fixtures.gpg",
    "tests.fixtures.helm",
    "tests.fixtures.sops",
    "tests.fixtures.seeds",
    "tests.fixtures.terraform",
    "tests.fixtures.tls",
    "tests.fixtures.tofu",
]


def pytest_configure() -> None:
    """Let children be interrupted: what a shell starts in the background ignores SIGINT, and so would they."""
    is_main = threading.current_thread() is threading.main_thread()
    if is_main and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
