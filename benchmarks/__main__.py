"""`python -m benchmarks`: measure, print side by side with the floor, and judge against the project's own goals.

The machine is part of every figure: run it on a quiet one, and compare ratios, never seconds of different machines.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Final

import click

from benchmarks.applications import measure_application
from benchmarks.bare import Floor
from benchmarks.changes import measure_changes
from benchmarks.changes import table as changes_table
from benchmarks.charts import measure_charts
from benchmarks.charts import table as charts_table
from benchmarks.churn import goals as churn_goals
from benchmarks.churn import measure_churn
from benchmarks.churn import table as churn_table
from benchmarks.clusters import goals as clusters_goals
from benchmarks.clusters import measure_clusters
from benchmarks.clusters import table as clusters_table
from benchmarks.delivery import Measured, Round, measure_round
from benchmarks.drift import Edit, Idle, measure_drift, measure_idle
from benchmarks.growth import measure_growth
from benchmarks.growth import table as growth_table
from benchmarks.plane import plane
from benchmarks.query import measure_query
from benchmarks.records import measure_records
from benchmarks.records import table as records_table
from benchmarks.rendering import measure_rendering, table
from benchmarks.scale import Scale, measure_scale
from benchmarks.scale_table import goals as scale_goals
from benchmarks.scale_table import table as scale_table
from benchmarks.states import measure_states
from benchmarks.states import table as states_table
from benchmarks.workspaces import measure_workspaces
from benchmarks.workspaces import table as workspaces_table

TIMES_FLOOR = 3.0
PEAK_MEBIBYTES = 120.0
CLUSTER_NAMES = ("delivery", "drift", "idle", "scale")
OTHER_NAMES = (
    "churn", "clusters", "rendering", "changes", "query", "records", "growth", "terraform", "states", "oam", "charts",
)  # fmt: skip
NAMES = (*CLUSTER_NAMES, *OTHER_NAMES)
MORE_POLLS = 1.25
APPLICATIONS = 1000
INSTANCES = 100_000
RECORDED, COMMITS, STORM = 2000, 50_000, 1000  # groups of five objects; commits of the branch; transitions at once
GROWTH, GROWTH_HOURS = (1000, 20), 2.0  # applications, deployments of each a day
CYCLE_SECONDS, SINGLE_SECONDS, STORM_SECONDS = 0.2, 1.0, 3.0
WORKSPACES = 100
OVERHEAD, OVERHEAD_SECONDS = 0.05, 0.1  # whichever is more
CHART_MILLISECONDS, OBJECT_MILLISECONDS, CHART_ROUNDS = 20.0, 0.2, 15  # whichever is more
INDEX_SECONDS, QUERY_SECONDS = 60.0, 1.0
FOUND_SECONDS, CORRECTED_SECONDS = 1.0, 2.0
APPLICATION_MS = 5.0


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure beside its goal, both in the figure's unit."""

    name: str
    figure: float
    limit: float
    is_least: bool = False  # whether the limit is what the figure must reach at least

    @property
    def is_met(self) -> bool:
        return self.figure >= self.limit if self.is_least else self.figure <= self.limit

    def __str__(self) -> str:
        bound = "at least" if self.is_least else "at most"
        return f"{'met   ' if self.is_met else 'MISSED'}  {self.name}: {self.figure:.2f} (goal: {bound} {self.limit:g})"


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured, as the command line says it."""

    placements: int
    runs: int
    edits: int
    idle_seconds: float
    clusters: int
    days: int
    hours: int
    is_quick: bool = False


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(NAMES))
@click.option("--placements", default=100, show_default=True, help="Applications of four objects each.")
@click.option("--runs", default=3, show_default=True, help="Deliveries; the median is judged.")
@click.option("--edits", default=20, show_default=True, help="Hand edits.")
@click.option("--idle", "idle_seconds", default=60.0, show_default=True, help="Seconds of idleness that are counted.")
@click.option("--clusters", default=30, show_default=True, help="Sandbox clusters of one application.")
@click.option(
    "--days", default=0, help="Days that `growth` simulates; without it, two hours.  [A day: some 15 minutes]"
)
@click.option("--hours", default=24, show_default=True, help="Hours that `churn` lives through, in 36 seconds each.")
@click.option("--quick", is_flag=True, help="A small fleet, once: shows that all of it works, and judges nothing.")
def main(  # a command line
    *,
    names: tuple[str, ...],
    placements: int,
    runs: int,
    edits: int,
    idle_seconds: float,
    clusters: int,
    days: int,
    hours: int,
    quick: bool,
) -> None:
    """Measure deliveries, drift and idleness on a real control plane, and renders. Exit code 1: a goal was missed."""
    size = Size(placements, runs, edits, idle_seconds, clusters, days, hours)
    if quick:
        size = Size(10, 1, 4, 6.0, 4, 0, 1, is_quick=True)
    goals: list[Goal] = []
    names = names or NAMES
    if set(names) & set(CLUSTER_NAMES):
        goals += asyncio.run(measure(names, size))
    for name, measured in MEASURES.items():
        if name in names:
            goals += measured(size)
    sys.exit(_judged([] if quick else goals, is_quick=quick))


def _judged(goals: Sequence[Goal], *, is_quick: bool) -> int:
    """Print goals, and give the exit code."""
    print(*["quick: nothing is judged"] if is_quick else goals, sep="\n")
    return 1 if any(not one.is_met for one in goals) else 0


def _churn(size: Size) -> Sequence[Goal]:
    found = asyncio.run(measure_churn(size.placements, size.hours))
    print("\n".join(churn_table(found)) + "\n")
    return [Goal(*one) for one in churn_goals(found)]


def _clusters(size: Size) -> Sequence[Goal]:
    found = asyncio.run(measure_clusters(size.clusters))
    print("\n".join(clusters_table(found)) + "\n")
    return [Goal(*one) for one in clusters_goals(found)]


def _scale(found: Scale) -> Sequence[Goal]:
    print("\n".join(scale_table(found)) + "\n")
    return [Goal(*one) for one in scale_goals(found)]


async def measure(names: Sequence[str], size: Size) -> Sequence[Goal]:
    placements, edits, idle_seconds = size.placements, size.edits, size.idle_seconds
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {placements} placements × 4 objects\n")
    goals: list[Goal] = []
    if "delivery" in names:
        goals += await _delivery(placements, size.runs)
    if "scale" in names:
        commits = max(edits, 2)
        goals += _scale(await measure_scale(placements, commits=commits, edits=edits, idle_seconds=idle_seconds))
    if {"drift", "idle"} & set(names):
        async with plane() as running:
            if "drift" in names:
                goals += _drift(await measure_drift(running, placements, edits))
            if "idle" in names:
                goals += _idle([await measure_idle(running, count, idle_seconds) for count in (5, 50)])
    return goals


async def _delivery(placements: int, runs: int) -> Sequence[Goal]:
    rounds = []
    head = ("run", "what", "floor s (workers)", "converge s", "ratio", "CPU s", "server CPU s", "peak MiB", "requests")
    print(row(head))
    for number in range(1, runs + 1):
        one = await measure_round(placements)
        rounds.append(one)
        floors = (one.first_floor, one.update_floor)
        for what, floor, measured in zip(("first sync", "update"), floors, (one.first, one.update), strict=True):
            print(row((
                str(number), what, f"{floor.seconds:.2f} ({floor.workers})", f"{measured.seconds:.2f}",
                f"{measured.seconds / floor.seconds:.2f}", f"{measured.cpu_seconds:.2f}",
                f"{measured.server_cpu_seconds:.2f}", f"{one.peak_mebibytes:.0f}", counted(measured.requests),
            )))  # fmt: skip
    print()
    return [
        Goal("first sync ÷ floor", _ratio(rounds, "first"), TIMES_FLOOR),
        Goal("one-field update ÷ floor", _ratio(rounds, "update"), TIMES_FLOOR),
        Goal("peak PSS, MiB", max(one.peak_mebibytes for one in rounds), PEAK_MEBIBYTES),
    ]


def _ratio(rounds: Sequence[Round], name: str) -> float:
    ratios: list[float] = []
    for one in rounds:
        measured: Measured = getattr(one, name)
        floor: Floor = getattr(one, f"{name}_floor")
        ratios.append(measured.seconds / floor.seconds)
    return median(ratios)


def _drift(edits: Sequence[Edit]) -> Sequence[Goal]:
    found, corrected = ([getattr(one, name) for one in edits] for name in ("found", "corrected"))
    print(f"{len(edits)} hand edits: seconds from the answer to the edit")
    for name, times in (("found", found), ("corrected", corrected)):
        print(f"  {name:<10} p50 {median(times):.3f}  p99 {p99(times):.3f}  max {max(times):.3f}")
    print()
    return [
        Goal("hand edit found, p99 s", p99(found), FOUND_SECONDS),
        Goal("hand edit corrected, p99 s", p99(corrected), CORRECTED_SECONDS),
    ]


def _idle(windows: Sequence[Idle]) -> Sequence[Goal]:
    for count, one in zip((5, 50), windows, strict=True):
        print(
            f"idle for {one.seconds:g} s at {count} placements: {one.api_requests} requests to the API server, "
            f"{one.git_requests} to the git host; the edit after it: found in {one.edit.found:.3f} s, "
            f"corrected in {one.edit.corrected:.3f} s"
        )
    print()
    few, many = windows
    polls = many.git_requests / max(1, few.git_requests)
    return [
        Goal("API requests more at 50 placements than at 5, idle", many.api_requests - few.api_requests, 0.0),
        Goal("polls at 50 placements ÷ at 5, idle (intervals have jitter)", polls, MORE_POLLS),
    ]


def _rendering(size: Size) -> Sequence[Goal]:
    measured = measure_rendering(size.runs, peers_up_to=1000 if size.is_quick else 3000)
    print("\n".join(table(measured)) + "\n")
    goals = []
    for name, least in (("median", 10.0), ("1000", 12.0), ("3000", 60.0)):
        one = measured.built(name)
        if one.command is None or one.warm is None:
            continue
        goals.append(Goal(f"kubectl ÷ our build, {name}", one.command.seconds / one.ours.seconds, least, is_least=True))
        if name != "median":
            goals.append(
                Goal(f"warm Go API ÷ our build, {name}", one.warm.seconds / one.ours.seconds, 1, is_least=True)
            )
    return [
        *goals,
        Goal("CPU time of 10,000 resources ÷ that of 1,000", measured.growth, 11.0),
        Goal("a build of 1,000 resources adds, MiB", measured.mebibytes, 60.0),
    ]


def _changes(size: Size) -> Sequence[Goal]:
    measured = asyncio.run(measure_changes(100 if size.is_quick else APPLICATIONS, size.runs))
    print("\n".join(changes_table(measured)) + "\n")
    return [
        Goal("placements that a commit to one application renders", measured.rendered, 1.0),
        Goal("the decision for all the others, s", median(measured.decisions), 0.05),
        Goal("converge plan --ref with an empty cache, s", measured.first_plan, 2.0),
        Goal("converge plan --ref, s", median(measured.plans), 2.0),
    ]


def _records(size: Size) -> Sequence[Goal]:
    measured = asyncio.run(measure_records(*((30, 100, 30) if size.is_quick else (RECORDED, COMMITS, STORM))))
    print("\n".join(records_table(measured)) + "\n")
    return [
        Goal("10 transitions among many instances, derived and written, s", measured.cycle, CYCLE_SECONDS),
        Goal("trees that this wrote ÷ folders that it touched", measured.cycle_trees / measured.cycle_folders, 1.0),
        Goal("one transition readable 100 ms away, s", measured.single, SINGLE_SECONDS),
        Goal("1,000 transitions at once readable there, s", measured.storm, STORM_SECONDS),
        Goal("commits that these are", measured.storm_commits, 3.0),
    ]


def _growth(size: Size) -> Sequence[Goal]:
    hours = 24.0 if size.days or size.is_quick else GROWTH_HOURS
    grown = measure_growth(*((10, 2) if size.is_quick else GROWTH), size.days or 1, hours=hours)
    print("\n".join(growth_table(asyncio.run(grown))) + "\n")
    return []


def _states(size: Size) -> Sequence[Goal]:
    print(states_table(asyncio.run(measure_states(*((5, 2) if size.is_quick else ())))) + "\n")
    return []


def _charts(size: Size) -> Sequence[Goal]:
    measured = asyncio.run(measure_charts(1 if size.is_quick else CHART_ROUNDS))
    print("\n".join(charts_table(measured)) + "\n")
    return [
        Goal(
            f"helm and {one.name}, ms added",
            one.overhead_seconds * 1000,
            max(CHART_MILLISECONDS, one.objects * OBJECT_MILLISECONDS),
        )
        for one in measured
    ] + [
        Goal(f"{one.name} after a commit, ms of CPU added", median(one.again) * 1000, CHART_MILLISECONDS)
        for one in measured
    ]


def _workspaces(size: Size) -> Sequence[Goal]:
    measured = asyncio.run(measure_workspaces(10 if size.is_quick else WORKSPACES, size.runs))
    print("\n".join(workspaces_table(measured)) + "\n")
    return [
        Goal(
            "a look ÷ terraform plan and show",
            1 + (0.0 if measured.overhead_seconds <= OVERHEAD_SECONDS else measured.overhead),
            1 + OVERHEAD,
        ),
        Goal("longest without a look ÷ what is promised", measured.starved, 1.0),
        Goal("drift found after its interval ÷ what is promised", measured.lateness, 1.0),
        Goal("a plan of 2,000 resources read, s", measured.parsed, 1.0),
        Goal("a plan of 2,000 resources read, MiB", measured.parsed_mebibytes, 100.0),
    ]


def _application(_size: Size) -> Sequence[Goal]:
    measured = measure_application()
    print(f"an OAM Application of three components: {measured.objects} objects in {measured.seconds * 1000:.2f} ms\n")
    return [Goal("an OAM Application of three components rendered, ms", measured.seconds * 1000, APPLICATION_MS)]


def p99(times: Sequence[float]) -> float:
    return quantiles(times, n=100, method="inclusive")[98] if len(times) > 1 else times[0]


def _query(size: Size) -> Sequence[Goal]:
    asked = asyncio.run(measure_query(1000 if size.is_quick else INSTANCES))
    print(
        f"{asked.instances} instances: index made in {asked.built:.1f} s, kept after a commit in {asked.kept:.3f} s, "
        f"slowest question {asked.slowest:.3f} s\n"
    )
    return [
        Goal("index of all instances made, s", asked.built, INDEX_SECONDS),
        Goal("slowest question, s", asked.slowest, QUERY_SECONDS),
    ]


MEASURES: Final[Mapping[str, Callable[[Size], Sequence[Goal]]]] = {
    "churn": _churn,
    "clusters": _clusters,
    "rendering": _rendering,
    "changes": _changes,
    "query": _query,
    "records": _records,
    "growth": _growth,
    "states": _states,
    "terraform": _workspaces,
    "oam": _application,
    "charts": _charts,
}


def counted(requests: Counter[str]) -> str:
    return ", ".join(f"{count} {verb}" for verb, count in requests.most_common() if count > 0)


def row(cells: Sequence[str]) -> str:
    widths = (4, 11, 18, 11, 6, 6, 13, 9, 0)
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))


if __name__ == "__main__":
    main()
