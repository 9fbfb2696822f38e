"""The `format`s of the schemas: each a function from what was written to what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from types import MappingProxyType
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from controller.config.age import check_recipient
from controller.config.complaint import Complaint, nearest, quoted
from controller.config.cron import CronError, parse_cron
from controller.config.duration import parse_duration
from controller.config.moment import parse_moment
from controller.config.refs import check_branch, check_revision, check_tree_path
from controller.config.urls import check_end_point, check_git_url, check_repository_url
from controller.config.versions import check_version_range
from controller.model import parse_fact_path, parse_field, parse_path

Check = Callable[[str], Complaint | None]

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_LABEL_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_CREDENTIAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_INSTALLATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{7,62}")
_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_GLOB = re.compile(r"(?:[A-Za-z0-9._*?-]|\[!?[A-Za-z0-9._-]+\])+")
LONGEST_WINDOW_SECONDS = 7 * 86_400


def _dns_label(text: str) -> Complaint | None:
    if _LABEL.fullmatch(text):
        return None
    usable = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:63].rstrip("-")
    return Complaint(
        f"{quoted(text)} is no DNS label: lower-case letters, digits and dashes, 63 at most, no dash at either end",
        f"Write {quoted(usable)}." if usable else "",
    )


def _credential(text: str) -> Complaint | None:
    if _CREDENTIAL.fullmatch(text):
        return None
    # What stands here by mistake is often the secret itself, so that it is not shown.
    return Complaint(
        "this is no name of a credential", "Use letters, digits, `.`, `_` and `-`, beginning with a letter or digit."
    )


def _installation(text: str) -> Complaint | None:
    if _INSTALLATION.fullmatch(text):
        return None
    return Complaint(f"{quoted(text)} is no installation id: 8 to 63 letters, digits and dashes", "Use a UUID.")


def _group_kind(text: str) -> Complaint | None:
    kind, dot, group = text.partition(".")
    # Every kind of Kubernetes itself begins with a capital, a few of others do not (`postgresql.acid.zalan.do`).
    is_kind = re.fullmatch(r"[A-Za-z][A-Za-z0-9]*" if _is_of_others(group) else r"[A-Z][A-Za-z0-9]*", kind)
    if is_kind and (not dot or _SUBDOMAIN.fullmatch(group)):
        return None
    swapped = text.rpartition("/")
    is_swapped = bool(re.fullmatch(r"[A-Z][A-Za-z0-9]*", swapped[2]))
    usable = f"{swapped[2]}.{swapped[0].partition('/')[0]}" if swapped[1] and is_swapped else ""
    advice = f"Write {quoted(usable)}." if usable else "Such as `Widget.example.com`; `Service` of the core group."
    return Complaint(f"{quoted(text)} is no `Kind.group`", advice)


def _is_of_others(group: str) -> bool:
    """Tell whether a group is an operator's: Kubernetes' own have no dot or end in `.k8s.io`."""
    return "." in group and not group.endswith(".k8s.io")


def _service_account(text: str) -> Complaint | None:
    namespace, colon, name = text.rpartition(":")
    if (not colon or _LABEL.fullmatch(namespace)) and _SUBDOMAIN.fullmatch(name) and len(name) <= 253:
        return None
    return Complaint(f"{quoted(text)} names no service account", "Write its name, or `namespace:name`.")


def _commit(text: str) -> Complaint | None:
    if _COMMIT.fullmatch(text):
        return None
    return Complaint(f"{quoted(text)} is no commit's full id: 40 or 64 hex digits", "`git rev-parse` gives it.")


def _glob(text: str) -> Complaint | None:
    if text.startswith("-"):
        return Complaint(f"{quoted(text)} begins with a dash, which no name does")
    if _GLOB.fullmatch(text):
        return None
    return Complaint(f"{quoted(text)} is no glob", "Use letters, digits, `-`, `.`, `*`, `?` and sets such as `[a-c]`.")


def _kind_glob(text: str) -> Complaint | None:
    group, slash, kind = text.rpartition("/")
    if "/" in group or (slash and not group):
        return Complaint(f"{quoted(text)} is no `Kind` and no `group/Kind`", "The core group is written `core/Secret`.")
    if re.fullmatch(r"v[0-9]+((alpha|beta)[0-9]+)?", group):
        return Complaint(f"{quoted(text)} names a version, where a group belongs", f"Write {quoted(kind)}.")
    return next((found for one in (group or "*", kind) if (found := _glob(one))), None)


def _label_key(text: str) -> Complaint | None:
    prefix, slash, name = text.rpartition("/")
    if _LABEL_NAME.fullmatch(name) and (not slash or (len(prefix) <= 253 and _SUBDOMAIN.fullmatch(prefix))):
        return None
    return Complaint(
        f"{quoted(text)} is no label key", "Write `name` or `example.com/name`, the name with 63 characters at most."
    )


def _label_value(text: str) -> Complaint | None:
    if not text or _LABEL_NAME.fullmatch(text):
        return None
    return Complaint(
        f"{quoted(text)} is no label value",
        "Use letters, digits, `-`, `_` and `.`, 63 at most, a letter or digit at both ends.",
    )


def _duration(text: str) -> Complaint | None:
    try:
        seconds = parse_duration(text)
    except ValueError:
        return Complaint(
            f"{quoted(text)} is no duration", 'Write days, hours, minutes and seconds, such as "6h" or "1h30m".'
        )
    return None if seconds else Complaint(f"{quoted(text)} is no time at all")


def _date(text: str) -> Complaint | None:
    try:
        date.fromisoformat(text)
    except ValueError:
        return Complaint(f"{quoted(text)} is no date", 'Write it as "2026-12-31".')
    return None


def _output_reference(text: str) -> Complaint | None:
    target, dot, output = text.partition(".")
    if dot and _LABEL.fullmatch(target) and _PARAMETER.fullmatch(output):
        return None
    return Complaint(f"{quoted(text)} names no output", 'Write `target.output`, such as "cloud.bucket".')


def _object_reference(text: str) -> Complaint | None:
    kind, slash, name = text.partition("/")
    if slash and kind[:1].isupper() and kind.isalnum() and name and "/" not in name:
        return None
    return Complaint(f"{quoted(text)} names no object", 'Write `Kind/name`, such as "ConfigMap/settings".')


def _field_path(text: str) -> Complaint | None:
    try:
        return None if parse_path(text) else Complaint("is empty", "Name a field, such as `data.BUCKET`.")
    except ValueError as error:
        return Complaint(str(error).rstrip("."))


def _fact_path(text: str) -> Complaint | None:
    try:
        parse_fact_path(text)
    except ValueError as error:
        return Complaint(str(error), 'Such as `spec.containers[*].image`, or `metadata.labels["a.b/c"]`.')
    return None


def _window_duration(text: str) -> Complaint | None:
    found = _duration(text)
    if found is not None:
        return found
    seconds = parse_duration(text)
    if seconds < 60:
        return Complaint(f"{quoted(text)} is shorter than a minute, and cron counts in minutes", 'Write "1m" or more.')
    if seconds > LONGEST_WINDOW_SECONDS:
        return Complaint(f"{quoted(text)} is longer than seven days", "Write several windows.")
    return None


def _moment(text: str) -> Complaint | None:
    try:
        parse_moment(text)
    except ValueError:
        return Complaint(
            f"{quoted(text)} is no moment", 'Write a date ("2026-12-01", UTC) or a time with its zone ("…T18:00:00Z").'
        )
    return None


def _field(text: str) -> Complaint | None:
    try:
        parse_field(text)
    except ValueError as error:
        return Complaint(str(error))
    return None


def _manager_glob(text: str) -> Complaint | None:
    return (
        None if text.removeprefix("!").strip() else Complaint("this names nobody", 'Write "kubectl*" or "!kubectl*".')
    )


def _address_glob(text: str) -> Complaint | None:
    name, at, host = text.partition("@")
    if at and name and host and "@" not in host and not any(one.isspace() or one in "<>" for one in text):
        return None
    return Complaint(f"{quoted(text)} is no address", 'Write "li@example.com" or "*@ops.example.com".')


def _subject_template(text: str) -> Complaint | None:
    if "${summary}" in text and text.isprintable():
        return None
    return Complaint("this leaves out what happened, or is no single line", 'Write "status: ${summary}".')


def _address(text: str) -> Complaint | None:
    if "*" not in text and _address_glob(text) is None:
        return None
    return Complaint(f"{quoted(text)} is no address", 'Write "converge@example.com".')


def _branch_glob(text: str) -> Complaint | None:
    return check_branch(text.replace("*", "x"))


def _cron(text: str) -> Complaint | None:
    try:
        parse_cron(text)
    except CronError as error:
        return Complaint(error.what, error.advice)
    return None


def _zone(text: str) -> Complaint | None:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        near = nearest(text, available_timezones())
        return Complaint(
            f"{quoted(text)} is not in this machine's tz database",
            f'Did you mean "{near}"?' if near else 'Write a name such as "Asia/Shanghai".',
        )
    return None


def _group_reference(text: str) -> Complaint | None:
    parts = text.split("/")
    if len(parts) > 2:
        return Complaint(f"{quoted(text)} has more than one slash", "Write `application` or `environment/application`.")
    return next((found for part in parts if (found := _dns_label(part))), None)


def _parameter(text: str) -> Complaint | None:
    if _PARAMETER.fullmatch(text):
        return None
    return Complaint(
        f"{quoted(text)} is no parameter's name", "Use letters, digits, `_`, `.` and `-`, beginning with a letter."
    )


def _near_path(text: str) -> Complaint | None:
    """Check a path that may lead out of its folder, within the repository: that is seen where the tree is."""
    while text.startswith("../"):
        text = text.removeprefix("../")
    return check_tree_path(text)


FORMATS: Mapping[str, Check] = MappingProxyType(
    {
        "address": _address,
        "address-glob": _address_glob,
        "age-recipient": check_recipient,
        "branch-glob": _branch_glob,
        "commit-id": _commit,
        "cron": _cron,
        "credential-name": _credential,
        "date": _date,
        "dns-label": _dns_label,
        "fact-path": _fact_path,
        "field-path": _field_path,
        "object-reference": _object_reference,
        "output-reference": _output_reference,
        "duration": _duration,
        "end-point": check_end_point,
        "field": _field,
        "git-branch": check_branch,
        "git-revision": check_revision,
        "git-url": check_git_url,
        "repository-url": check_repository_url,
        "version-range": check_version_range,
        "glob": _glob,
        "group-kind": _group_kind,
        "group-reference": _group_reference,
        "installation": _installation,
        "kind-glob": _kind_glob,
        "label-key": _label_key,
        "label-value": _label_value,
        "manager-glob": _manager_glob,
        "moment": _moment,
        "parameter-name": _parameter,
        "service-account": _service_account,
        "subject-template": _subject_template,
        "time-zone": _zone,
        "near-path": _near_path,
        "tree-path": check_tree_path,
        "window-duration": _window_duration,
    }
)
