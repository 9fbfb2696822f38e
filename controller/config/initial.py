"""A new platform repository: the files that `converge init` writes."""

from __future__ import annotations

from collections.abc import Mapping

from controller.config.formats import FORMATS
from controller.model import InstallationId, Invalid, Position, Problem

_PLATFORM = """\
# The platform repository of {name}. Merging a change here or in an application's repository deploys it;
# reverting it rolls back. `converge validate` checks these files.
apiVersion: converge/v1
kind: Platform
metadata:
  name: {name}
spec:
  # Who we are on every target: made once, never changed.
  installation: {installation}

  # The application repositories, by the name that environments use.
  repositories: {{}}
  #  shop:
  #    url: https://git.example.com/shop/shop.git
  #    credentials: shop              # a folder of the credential store; never a value in git
  #    may:                           # what its objects may touch
  #      environments: [dev]
  #      namespaces: [shop, shop-*]

  # Status, instance records and badges are committed to this branch.
  records:
    branch: converge-status
"""

_ENVIRONMENT = """\
# The environment dev: its targets, its policy, and the applications that run there.
apiVersion: converge/v1
kind: Environment
metadata:
  name: dev
spec:
  targets:
    dev:
      kubernetes: {}                  # the credential `kubeconfig`, its current context; or `inCluster: true`

  sync:
    pending: auto                     # auto | approve | report: when our side moved
    drift: revert                     # revert | propose | report: when their side moved

  applications: {}
  #  shop:
  #    repository: shop
  #    path: deploy
  #    revision: main
  #    namespace: shop
  #    createNamespace: true
"""

_OVERLAYS = """\
# Overlays

What an environment changes in an application's base. Each folder holds an ordinary kustomize Component:

- `overlays/<environment>/kustomization.yaml`: every application of the environment
- `overlays/<environment>/<application>/kustomization.yaml`: one application there
- `overlays/<environment>/<application>/<target>/kustomization.yaml`: one application on one target
"""


def new_platform(name: str, installation: InstallationId) -> Mapping[str, bytes]:
    """Give the files of a new platform repository by path; they validate. Raises Invalid for a name that can't be."""
    checks = (("metadata.name", "dns-label", name), ("spec.installation", "installation", installation))
    found = [(field, FORMATS[kind](text)) for field, kind, text in checks]
    problems = [Problem(Position("converge.yaml"), one.what, field, one.advice) for field, one in found if one]
    if problems:
        raise Invalid(problems)
    files = {
        "converge.yaml": _PLATFORM.format(name=name, installation=installation),
        "environments/dev.yaml": _ENVIRONMENT,
        "overlays/README.md": _OVERLAYS,
    }
    return {path: text.encode() for path, text in files.items()}
