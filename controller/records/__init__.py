"""What is written back to git: status, instance records (CMDB), badges and an overview. Pure."""

from controller.records.badges import Badge, Colour, application_badge, summary_badge
from controller.records.change import RecordChange, record
from controller.records.earlier import schemas
from controller.records.files import Files, Layered
from controller.records.overview import overview
from controller.records.platform import PlatformChange, record_platform

__all__ = [
    "Badge",
    "Colour",
    "Files",
    "Layered",
    "PlatformChange",
    "RecordChange",
    "application_badge",
    "overview",
    "record",
    "record_platform",
    "schemas",
    "summary_badge",
]
