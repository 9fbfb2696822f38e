"""What `scale` measured, for people, and beside the project's goals. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median, quantiles

from benchmarks.bare import Floor
from benchmarks.delivery import Measured
from benchmarks.scale import Restart, Scale

# Flux 2 with 1,000 applications of this very workload: CPU seconds of kustomize-controller and API server together, on
# two shared cores (an install and an upgrade); docs/performance.md says how they were measured.
FLUX_APPLICATIONS = 1000
FLUX_INSTALL_CPU, FLUX_UPGRADE_CPU = 375.0, 364.0
KINDS = 4
MEGABYTES = {1000: 150.0, 10_000: 400.0}  # by applications

GoalLine = tuple[str, float, float]  # name, figure, and what it may be at most


def table(found: Scale) -> tuple[str, ...]:
    """Give one line per measurement."""
    count = found.applications
    changed = found.update.requests["DRY RUN"] + found.update.requests["APPLY"]
    writes = ", ".join(f"{number} {verb}" for verb, number in found.one_writes.items() if number)
    update = found.update.requests
    parents = update["PUT"] / count
    found_p99, corrected_p99 = (p99([getattr(one, name) for one in found.edits]) for name in ("found", "corrected"))
    ones, idle = found.ones, found.idle
    return (
        f"{count} applications × {KINDS} objects",
        _delivery("first sync, preflight: false", found.bare, found.first_floor),
        _delivery("first sync", found.first, found.first_floor),
        _delivery("one field of every application", found.update, found.update_floor),
        f"  requests per changed object {changed / count:.2f}, parent updates per placement {parents:.2f}",
        f"one of them, {len(ones)} commits: p50 {median(ones):.3f} s, p99 {p99(ones):.3f} s; {writes}",
        f"{len(found.edits)} hand edits: found p99 {found_p99:.3f} s, corrected p99 {corrected_p99:.3f} s",
        _restart("restart, warm disk", found.warm),
        _restart("restart, empty disk", found.empty),
        f"idle for {idle.seconds:g} s: {idle.requests} requests, {100 * idle.cpu_share:.2f} % of a core",
        _memory(found),
    )


def goals(found: Scale) -> Sequence[GoalLine]:
    """Give what is judged. CPU beside Flux, and memory, only at sizes that these were measured or stated for."""
    count = found.applications
    requests = found.update.requests
    lines: list[GoalLine] = [
        ("scale: first sync ÷ floor, preflight: false", found.bare.seconds / found.first_floor.seconds, 1.6),
        ("scale: first sync ÷ floor", found.first.seconds / found.first_floor.seconds, 2.6),
        ("scale: requests per changed object", (requests["DRY RUN"] + requests["APPLY"]) / count, 2.0),
        ("scale: parent updates per placement", requests["PUT"] / count, 1.1),  # with those of the Lease
        ("scale: one application, p50 s", median(found.ones), 0.3),
        ("scale: one application, p99 s", p99(found.ones), 1.0),
        ("scale: hand edit found, p99 s", p99([one.found for one in found.edits]), 0.5),
        ("scale: hand edit corrected, p99 s", p99([one.corrected for one in found.edits]), 1.0),
        ("scale: restart, warm disk, s", found.warm.seconds, 5.0),
        ("scale: restart, empty disk, s", found.empty.seconds, 15.0),
        ("scale: kinds listed more than once by restarts", max(found.warm.lists, found.empty.lists) - KINDS, 0.0),
        ("scale: writes of restarts", found.warm.writes + found.empty.writes, 0.0),
        ("scale: requests while idle", found.idle.requests, 0.0),
        ("scale: share of a core while idle, %", 100 * found.idle.cpu_share, 1.0),
    ]
    if count == FLUX_APPLICATIONS:
        lines += [
            ("scale: CPU s of a first sync ÷ Flux's", _cpu(found.first) / FLUX_INSTALL_CPU, 0.1),
            ("scale: CPU s of an update of all ÷ Flux's", _cpu(found.update) / FLUX_UPGRADE_CPU, 0.05),
        ]
    if count in MEGABYTES:
        lines.append(("scale: peak PSS, MB", _megabytes(found.peak_mebibytes), MEGABYTES[count]))
    return lines


def p99(times: Sequence[float]) -> float:
    return quantiles(times, n=100, method="inclusive")[98] if len(times) > 1 else times[0]


def _delivery(what: str, one: Measured, floor: Floor) -> str:
    return (
        f"{what}: {one.seconds:.2f} s = {one.seconds / floor.seconds:.2f} × floor ({floor.seconds:.2f} s, "
        f"{floor.workers} workers); CPU s {one.cpu_seconds:.2f} + server {one.server_cpu_seconds:.2f}; "
        + ", ".join(f"{count} {verb}" for verb, count in one.requests.most_common() if count > 0)
    )


def _restart(what: str, one: Restart) -> str:
    return f"{what}: {one.seconds:.2f} s; {one.lists} lists, {one.writes} writes, {one.requests} requests"


def _memory(found: Scale) -> str:
    peak, first = (_megabytes(one) for one in (found.peak_mebibytes, found.first_mebibytes))
    return f"peak PSS of the process tree: {peak:.0f} MB; {first:.0f} MB until the end of the first sync"


def _cpu(one: Measured) -> float:
    return one.cpu_seconds + one.server_cpu_seconds


def _megabytes(mebibytes: float) -> float:
    return mebibytes * (1 << 20) / 1e6
