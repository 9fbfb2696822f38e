"""`converge validate`: a platform repository as it lies in a directory, and all that it names."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from controller.cli.options import FAILED, FINE, PlatformOptions, output_option, platform_options, run_async
from controller.model import PLATFORM, ConvergeError, Desired, Invalid, Platform, Position, Problem, Tree


@click.command("validate")
@click.argument(
    "directory", type=click.Path(exists=True, file_okay=False, path_type=Path), default=Path(), metavar="[DIR]"
)
@click.option("--offline", is_flag=True, help="Check the files in DIR only: no application repository is read.")
@platform_options
@output_option
def command(*, directory: Path, offline: bool, platform: PlatformOptions, output: str) -> None:
    """Check the platform repository in DIR, committed or not, and that everything it names renders.

    Every problem is reported at once, with file and line. Exit code: 0 none, 1 some.
    """
    problems, warnings = run_async(_validate(directory, platform, offline=offline))
    _show(problems, warnings, output)
    sys.exit(FAILED if problems else FINE)


async def _validate(
    directory: Path, platform: PlatformOptions, *, offline: bool
) -> tuple[list[Problem], list[Problem]]:
    from controller.cli.oddities import Oddities  # noqa: PLC0415
    from controller.cli.wiring import look_at  # noqa: PLC0415
    from controller.config import contested, read_platform  # noqa: PLC0415
    from controller.engine import export_problems  # noqa: PLC0415
    from controller.runtime import DirectoryTree  # noqa: PLC0415

    tree = DirectoryTree(directory, PLATFORM)
    try:
        found = read_platform(tree)
        fixtures = _health_fixtures(tree, found)
        if offline:
            exports = export_problems(found.exports)
            return [*exports, *(one for some in found.problems.values() for one in some), *fixtures], []
        snapshot = await look_at(tree, platform)
    except Invalid as error:
        return list(error.problems), []
    problems: dict[Problem, None] = dict.fromkeys([*fixtures, *export_problems(snapshot.fleet.platform.exports)])
    desireds: list[Desired] = []
    oddities = Oddities()
    for placement in snapshot.select(()):
        try:
            rendered = await snapshot.rendered(placement)
            desireds.append(rendered.desired)
            oddities.add(snapshot.request(placement), rendered)
        except Invalid as error:
            problems.update(dict.fromkeys(error.problems))
        except ConvergeError as error:
            origin = snapshot.entry(placement).application.origin
            problems[Problem(Position(origin.path, origin.line), str(error), str(placement))] = None
    for some in contested(desireds).values():
        problems.update(dict.fromkeys(some))
    return list(problems), oddities.found()


def _health_fixtures(tree: Tree, platform: Platform) -> tuple[Problem, ...]:
    """Judge the live objects that lie beside health rules."""
    if not platform.health:
        return ()
    from controller.targets.kubernetes import check_fixtures  # noqa: PLC0415  # not where nobody has rules

    return check_fixtures(tree, platform.health)


def _show(problems: list[Problem], warnings: list[Problem], output: str) -> None:
    if output == "json":
        from controller.cli.showing import print_json  # noqa: PLC0415

        print_json({"problems": [_json(one) for one in problems], "warnings": [_json(one) for one in warnings]})
        return
    for warning in warnings:
        click.echo(f"{click.style('warning', fg='yellow')} {warning}")
    for problem in problems:
        click.echo(f"{click.style('error', fg='red')} {problem}")
    click.echo(f"{len(problems)} errors, {len(warnings)} warnings" if problems or warnings else "valid")


def _json(problem: Problem) -> dict[str, object]:
    return {
        "path": problem.where.path,
        "line": problem.where.line,
        "field": problem.field,
        "what": problem.what,
        "advice": problem.advice,
    }
