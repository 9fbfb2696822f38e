"""What the API server answers when it does not do what was asked: a `metav1.Status`, read. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import orjson

from controller.targets.kubernetes.connection import Response

CONFLICT = re.compile(
    r'^conflict with "(?P<manager>.*?)"(?: with subresource "(?P<subresource>[^"]*)")?(?: using .*)?$'
)


@dataclass(frozen=True, slots=True)
class Status:
    """A `metav1.Status`, as far as it was one."""

    code: int
    reason: str
    message: str
    details: dict[str, Any]
    retry_after_seconds: float = 0.0

    @property
    def causes(self) -> tuple[tuple[str, str, str], ...]:
        """Give reason, field and message of each cause."""
        return tuple(
            (str(one.get("reason", "")), str(one.get("field", "")), str(one.get("message", "")))
            for one in self.details.get("causes") or ()
            if isinstance(one, dict)
        )


@dataclass(frozen=True, slots=True)
class Conflict:
    """One field that another manager owns with another value."""

    manager: str
    subresource: str
    field: str  # as the server writes it: `.spec.template.spec.containers[name="web"].image`

    @property
    def who(self) -> str:
        return f"{self.manager} ({self.subresource})" if self.subresource else self.manager


def read_status(response: Response) -> Status:
    """Read an answer that is not a success; what is no Status (a proxy's page, "404 page not found") is its text."""
    try:
        decoded = orjson.loads(response.body)
    except orjson.JSONDecodeError:
        decoded = None
    if not isinstance(decoded, dict) or decoded.get("kind") != "Status":
        text = response.body[:300].decode(errors="replace").strip()
        return Status(response.status, "", text, {}, response.retry_after_seconds)
    details = decoded.get("details") or {}
    retry = response.retry_after_seconds or float(details.get("retryAfterSeconds") or 0)
    return Status(response.status, str(decoded.get("reason", "")), str(decoded.get("message", "")), details, retry)


def conflicts(response: Response) -> tuple[Conflict, ...]:
    """Give the fields that others own, when that is why an apply was refused; else nothing."""
    return conflicts_of(read_status(response)) if response.status == 409 else ()


def conflicts_of(status: Status) -> tuple[Conflict, ...]:
    """Give the fields that others own, as far as a Status tells."""
    return tuple(
        Conflict(match["manager"], match["subresource"] or "", where)
        for reason, where, message in status.causes
        if reason == "FieldManagerConflict" and (match := CONFLICT.match(message))
    )


def is_modified(response: Response) -> bool:
    """Tell whether a write met another version (or another uid) of the object than it was made for."""
    return response.status == 409 and not conflicts(response) and read_status(response).reason == "Conflict"


def is_missing_namespace(response: Response) -> str:
    """Name the namespace whose absence refused a write; "" when it was something else."""
    if response.status != 404:
        return ""
    details = read_status(response).details
    return str(details.get("name", "")) if details.get("kind") == "namespaces" else ""


def is_dry_run_unsupported(response: Response) -> bool:
    """Tell whether a webhook with side effects makes a dry run impossible (`webhook.NewDryRunUnsupportedErr`)."""
    return response.status == 400 and "does not support dry run" in read_status(response).message


def is_immutable(status: Status) -> bool:
    """Tell whether an update was refused only because it touches what can't change."""
    texts = [message for _, _, message in status.causes]
    return bool(texts) and all(
        "field is immutable" in text
        or "may not change once set" in text
        or "updates to statefulset spec for fields" in text
        for text in texts
    )
