"""The `converge` command: one module per subcommand, loaded when it is called.

Exit codes: 0 fine, 1 failed, 2 misuse, 3 something is pending, 4 something has drifted (also with pending).
"""

from __future__ import annotations

from importlib import import_module

import click

from controller import __version__

COMMANDS = {
    "run": "Run the controller.",
    "plan": "Show what a sync would change, on the live state.",
    "apply": "Apply one application now, by hand, and record who and why.",
    "diff": "Show live against desired, field by field.",
    "render": "Print the objects that an application renders to.",
    "explain": "Say where a field's value is set, by whom and when.",
    "status": "Show what the records branch says of the fleet.",
    "history": "List the versions of an application in an environment.",
    "show": "Show one of them, as the records tell it.",
    "query": "Ask the instance records what runs where.",
    "verify": "Prove, from git alone, what ran.",
    "rollback": "Run an earlier version, until a newer commit comes.",
    "suspend": "Write nothing of an application for a while.",
    "resume": "Follow git again, after suspend or rollback.",
    "promote": "Carry images and revision to another environment.",
    "approve": "Approve the plan that is shown, by its hash.",
    "accept": "Make what somebody changed on a target what git says.",
    "clone-env": "Make a new environment out of another one.",
    "import": "Write what runs in a namespace as files.",
    "state": "Read and write Terraform states that are kept in git.",
    "set": "Say another image or number of replicas.",
    "validate": "Check a platform repository and all that it names.",
    "init": "Make a new platform repository.",
    "demo": "See GitOps work on this machine, end to end.",
    "kustomize": "Build a kustomization, as kubectl kustomize does.",
    "oam": "Render an OAM Application, as KubeVela does.",
}


class _LazyGroup(click.Group):
    """Loads a subcommand's module when it is called: `converge --help` loads none (click's own recipe)."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"controller.cli.{cmd_name.replace('-', '_')}_command").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="converge")
def main() -> None:
    """Converge: merge to deploy, revert to roll back, and the truth comes back as commits."""
