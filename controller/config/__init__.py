"""The interface files: converge.yaml, environments/ and an application's components, read into the model.

What they may say stands in `schemas/*.json`; every mistake says file:line, field, why and what to do.
"""

from controller.config.application import read_application
from controller.config.complaint import nearest
from controller.config.contested import contested
from controller.config.cron import Cron, CronError, is_open, openings, parse_cron
from controller.config.duration import parse_duration
from controller.config.globs import matches_any, matches_kind
from controller.config.initial import new_platform
from controller.config.known_models import model_of
from controller.config.permissions import has_namespace, violations
from controller.config.platform import read_platform
from controller.config.reference import field_tables
from controller.config.refs import check_branch
from controller.config.schema import schemas
from controller.config.urls import check_git_url, check_repository_url, is_loopback
from controller.config.validator import Flaw, Validator, flaws
from controller.config.versions import Range, Version, check_version_range, newest, read_range, read_version

__all__ = [
    "Cron",
    "CronError",
    "Flaw",
    "Range",
    "Validator",
    "Version",
    "check_branch",
    "check_git_url",
    "check_repository_url",
    "check_version_range",
    "contested",
    "field_tables",
    "flaws",
    "has_namespace",
    "is_loopback",
    "is_open",
    "matches_any",
    "matches_kind",
    "model_of",
    "nearest",
    "new_platform",
    "newest",
    "openings",
    "parse_cron",
    "parse_duration",
    "read_application",
    "read_platform",
    "read_range",
    "read_version",
    "schemas",
    "violations",
]
