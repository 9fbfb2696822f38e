"""What the machine gives: child processes, credentials, the clock, scratch folders, file watches, the log."""

from controller.runtime.clock import Clock, SystemClock
from controller.runtime.credentials import Credential, CredentialStore
from controller.runtime.directory import DirectoryTree
from controller.runtime.environment import bare_environment
from controller.runtime.logs import configure_logging, hide_secrets
from controller.runtime.pipe import Pipe, PipeBroken
from controller.runtime.process import Completed, Overdue, run
from controller.runtime.scratch import scratch, sweep_scratch
from controller.runtime.watching import Watcher

__all__ = [
    "Clock",
    "Completed",
    "Credential",
    "CredentialStore",
    "DirectoryTree",
    "Overdue",
    "Pipe",
    "PipeBroken",
    "SystemClock",
    "Watcher",
    "bare_environment",
    "configure_logging",
    "hide_secrets",
    "run",
    "scratch",
    "sweep_scratch",
]
