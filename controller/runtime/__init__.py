"""What the machine gives: child processes, credentials, the clock, scratch folders, file watches, the log."""

from controller.runtime.build import build_digest
from controller.runtime.clock import Clock, SystemClock
from controller.runtime.confinement import Confinement, can_confine, secrets_at_home
from controller.runtime.credentials import Credential, CredentialStore
from controller.runtime.directory import DirectoryTree
from controller.runtime.durable import write_whole
from controller.runtime.environment import bare_environment
from controller.runtime.heap import keep_small_heap, stay_small
from controller.runtime.logs import configure_logging, hide_secrets
from controller.runtime.pipe import Pipe, PipeBroken
from controller.runtime.plan_keys import PlanKeys
from controller.runtime.process import Completed, Overdue, run
from controller.runtime.scratch import scratch, sweep_scratch
from controller.runtime.shelf import Shelf
from controller.runtime.watching import Watcher

__all__ = [
    "Clock",
    "Completed",
    "Confinement",
    "Credential",
    "CredentialStore",
    "DirectoryTree",
    "Overdue",
    "Pipe",
    "PipeBroken",
    "PlanKeys",
    "Shelf",
    "SystemClock",
    "Watcher",
    "bare_environment",
    "build_digest",
    "can_confine",
    "configure_logging",
    "hide_secrets",
    "keep_small_heap",
    "run",
    "scratch",
    "secrets_at_home",
    "stay_small",
    "sweep_scratch",
    "write_whole",
]
