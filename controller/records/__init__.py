"""What is written back to git: status, instance records (CMDB), badges and an overview. Pure."""

from controller.records.badges import Badge, Colour, application_badge, summary_badge, tally
from controller.records.change import RecordChange, record
from controller.records.contents import Contents, recorded_contents, rendered_contents
from controller.records.drawing import Drawing
from controller.records.earlier import relation_types, schemas
from controller.records.files import Files, Layered
from controller.records.identity import Key, parse_key
from controller.records.memory import remember_on
from controller.records.overview import overview
from controller.records.paths import status_path
from controller.records.platform import PlatformChange, record_platform
from controller.records.remaining import Remaining, holds_records, is_elsewhere, remaining, status_of, statuses
from controller.records.reviews import Review, reviewed_plans
from controller.records.topology import chart_text
from controller.records.workspaces import state_of

__all__ = [
    "Badge",
    "Colour",
    "Contents",
    "Drawing",
    "Files",
    "Key",
    "Layered",
    "PlatformChange",
    "RecordChange",
    "Remaining",
    "Review",
    "application_badge",
    "chart_text",
    "holds_records",
    "is_elsewhere",
    "overview",
    "parse_key",
    "record",
    "record_platform",
    "recorded_contents",
    "relation_types",
    "remaining",
    "remember_on",
    "rendered_contents",
    "reviewed_plans",
    "schemas",
    "state_of",
    "status_of",
    "status_path",
    "statuses",
    "summary_badge",
    "tally",
]
