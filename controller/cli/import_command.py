"""`converge import`: what runs in a namespace as files, which a repository can begin with."""

from __future__ import annotations

from pathlib import Path

import click

from controller.cli.options import PlatformOptions, platform_options, run_async
from controller.model import JsonValue, KubernetesTarget, Stalled


@click.command("import")
@click.option("--target", required=True, metavar="ENV/TARGET", help="A Kubernetes target of an environment.")
@click.option("--namespace", required=True, metavar="NAME", help="The namespace that is read.")
@click.option(
    "--out",
    required=True,
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the files are written. It must not be there yet, or be empty.",
)
@platform_options
def command(*, target: str, namespace: str, out: Path, platform: PlatformOptions) -> None:
    """Write what people made in a namespace as a kustomization that renders to no difference.

    Left out are defaults, status, what controllers made, and the marks of other tools. Secrets are placeholders, and
    applied once: their live values stay. Nothing is written to the cluster.
    """
    run_async(_import(target, namespace, out, platform))


async def _import(where: str, namespace: str, out: Path, options: PlatformOptions) -> None:
    from controller.cli.wiring import connect, look_once  # noqa: PLC0415
    from controller.documents import write  # noqa: PLC0415
    from controller.runtime import CredentialStore  # noqa: PLC0415
    from controller.targets.kubernetes import import_from  # noqa: PLC0415

    snapshot, _ = await look_once(options)
    known = {
        f"{one.name}/{target.name}": target
        for one in snapshot.fleet.platform.environments.values()
        for target in one.targets.values()
        if isinstance(target, KubernetesTarget)
    }
    if where not in known:
        raise Stalled(f"{where}: there is no such Kubernetes target. There are: {', '.join(sorted(known))}")
    async with connect(known[where], CredentialStore(options.credential_directory)) as connection:
        found = await import_from(connection, namespace)
    for remark in found.remarks:
        click.echo(remark, err=True)
    if not found.objects:
        raise Stalled(f"namespace {namespace} of {where} has nothing that people made")
    files = {one.file_name: write(one.body) for one in found.objects}
    kustomization: dict[str, JsonValue] = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [*sorted(files)],
    }
    _write(out, {**files, "kustomization.yaml": write(kustomization)})
    for one in found.objects:
        click.echo(f"{one.file_name}: {one.key}")
    click.echo(
        f"{len(found.objects)} objects in {out}. Its application's entry: namespace: {namespace}; then `converge plan` "
        f"shows what taking them over would change"
    )


def _write(out: Path, files: dict[str, bytes]) -> None:
    if out.exists() and any(out.iterdir()):
        raise Stalled(f"{out} is not empty. Name another folder")
    out.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (out / name).write_bytes(data)
