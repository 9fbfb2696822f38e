"""What the files of a platform repository must say of each other. Each rule is a function of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from controller.config.branches import branches_are_apart, records_are_not_followed, states_are_said_once
from controller.config.complaint import quoted, suggestion
from controller.config.draft import Draft, EnvironmentDraft, applications
from controller.config.node import Node
from controller.config.refs import check_tree_path, tree_path
from controller.config.selecting import account_of, labels_of, targets_of
from controller.model import (
    PLATFORM,
    ApplicationName,
    EntryKind,
    EnvironmentName,
    GroupRef,
    Problem,
    Stalled,
    Tree,
)

FULL_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
Rule = Callable[[Draft, Tree], Iterator[Problem]]


def group_of(reference: str, environment: str) -> GroupRef:
    """Read a `dependsOn` entry: `db` in the same environment, or `staging/shop`."""
    before, slash, name = reference.rpartition("/")
    return GroupRef(EnvironmentName(before if slash else environment), ApplicationName(name))


def _repository_names(draft: Draft, _tree: Tree) -> Iterator[Problem]:
    if PLATFORM in draft.repositories:
        what = f"{quoted(PLATFORM)} is the name of this repository itself"
        yield draft.repositories[PLATFORM].problem(what, "Choose another name.", of_key=True)


def _known_repositories(draft: Draft, _tree: Tree) -> Iterator[Problem]:
    if draft.platform is None:
        return
    records = draft.platform.get("spec", "records")
    exports = draft.platform.get("spec").named("exports").values()
    for node in (records, *exports, *(entry for _, _, entry in applications(draft))):
        name = node.text("repository")
        if name and name not in draft.repositories:
            known = tuple(draft.repositories)
            advice = LISTED if name == PLATFORM else suggestion(name, known, empty="Add it under `spec.repositories`.")
            yield node.get("repository").problem(f"there is no repository {quoted(name)} in converge.yaml", advice)


def _known_targets(draft: Draft, _tree: Tree) -> Iterator[Problem]:
    for environment, _, entry in applications(draft):
        if environment.name in draft.unreadable:
            continue
        known = environment.targets
        if not known and entry.get("targets").value is None:
            yield entry.problem(
                f"{environment.name} has no targets to run it on", "Add one under `spec.targets`.", of_key=True
            )
        yield from _labelled_targets(environment, entry)
        for target in entry.get("targets").elements():
            if isinstance(target.value, str) and target.value not in known:
                advice = suggestion(target.value, known, empty="Add it under `spec.targets`.")
                yield target.problem(f"{environment.name} has no target {quoted(target.value)}", advice)


def _labelled_targets(environment: EnvironmentDraft, entry: Node) -> Iterator[Problem]:
    labels = entry.get("targetLabels")
    if labels.value is None or not environment.targets:
        return
    if entry.get("targets").value is not None:
        yield labels.problem("says targets, too", "Keep one of them.", of_key=True)
    elif not targets_of(environment, entry):
        said = (labels_of(one.get("labels")).items() for one in environment.targets.values())
        found = sorted({f"{key}: {value}" for each in said for key, value in each})
        known = f"There are: {', '.join(found)}." if found else "None of them has labels."
        yield labels.problem(f"no target of {environment.name} has these labels", known)


def _known_inputs(draft: Draft, _tree: Tree) -> Iterator[Problem]:
    """Hold `inputs` against the targets: a value comes from a terraform target on which the application runs."""
    for environment, _, entry in applications(draft):
        here = targets_of(environment, entry)
        for one in entry.get("inputs").elements():
            target = one.text("from").partition(".")[0]
            node = environment.targets.get(target)
            if not target or environment.name in draft.unreadable:
                continue
            if node is None or target not in here:
                yield one.get("from").problem(f"it does not run on a target {quoted(target)}", "Add it to `targets`.")
            elif not isinstance(node.value, dict) or "terraform" not in node.value:
                yield one.get("from").problem(f"{quoted(target)} is no terraform target, and only those give outputs")


def _known_dependencies(draft: Draft, _tree: Tree) -> Iterator[Problem]:
    for environment, _, entry in applications(draft):
        for element in entry.get("dependsOn").elements():
            if isinstance(element.value, str) and element.value.count("/") < 2:
                found = _unknown_group(draft, group_of(element.value, environment.name), environment.name)
                if found:
                    yield element.problem(*found)


def _unknown_group(draft: Draft, group: GroupRef, here: str) -> tuple[str, str] | None:
    if group.environment in draft.unreadable:
        return None
    environment = draft.environments.get(group.environment)
    if environment is None:
        advice = suggestion(group.environment, draft.environments, empty="")
        return f"there is no environment {quoted(group.environment)}", advice
    if group.application in environment.applications:
        return None
    elsewhere = next((one for one in draft.environments.values() if group.application in one.applications), None)
    near = suggestion(group.application, environment.applications, empty="")
    if elsewhere is not None and group.environment == here and not near.startswith("Did"):
        near = f'Did you mean "{elsewhere.name}/{group.application}"?'
    return f"{group.environment} has no application {quoted(group.application)}", near


def _policies(draft: Draft) -> Iterator[tuple[EnvironmentDraft, str, Node]]:
    """Give what is said of sync policies: by environments ("" for the application), and by entries."""
    for environment in draft.environments.values():
        yield environment, "", environment.sync
        yield from ((environment, name, entry.get("sync")) for name, entry in environment.applications.items())


def _known_predecessors(draft: Draft, _tree: Tree) -> Iterator[Problem]:
    """Hold `after` against the environments; an entry that says it itself must be in each of them."""
    for environment, application, sync in _policies(draft):
        for one in sync.get("after").elements():
            name = one.text("environment")
            other = draft.environments.get(name)
            if not name or name in draft.unreadable:
                continue
            if other is None:
                advice = suggestion(name, draft.environments, empty="")
                yield one.get("environment").problem(f"there is no environment {quoted(name)}", advice)
            elif name == environment.name:
                yield one.get("environment").problem(f"{name} can't come after itself", "Name another environment.")
            elif application and application not in other.applications:
                what = f"{name} has no application {quoted(application)}, which would be waited for in vain"
                yield one.get("environment").problem(what, "Add it there, or name another environment.")


def _signer_files(draft: Draft, tree: Tree) -> Iterator[Problem]:
    named = [pair for repository in draft.repositories.values() for pair in repository.get("verify").entries()]
    for _, _, sync in _policies(draft):
        named += [(name, sync.get("approvals", name)) for name in ("ssh", "gpg")]
    for name, node in named:
        if isinstance(node.value, str) and node.value and not check_tree_path(node.value):
            what = _missing_file(tree, tree_path(node.value))
            if what:
                yield node.problem(what, f"Commit the keys that `{name}` names to this repository.")


def _missing_file(tree: Tree, path: str) -> str:
    try:
        return "" if tree.kind(path) is EntryKind.FILE else f"this repository has no file {quoted(path)}"
    except Stalled as error:
        return str(error)


def _one_way_in(draft: Draft, _tree: Tree) -> Iterator[Problem]:
    for environment in draft.environments.values():
        for target in environment.targets.values():
            cluster = target.get("kubernetes")
            others = [name for name in ("context", "kubeconfig") if cluster.text(name)]
            if cluster.flag("inCluster", default=False) and others:
                what = f"says inCluster and {' and '.join(others)}, which are two ways to reach a cluster"
                yield cluster.problem(what, "Keep one of them.", of_key=True)


def _identity_in_reach(draft: Draft, _tree: Tree) -> Iterator[Problem]:
    for environment in draft.environments.values():
        for target in environment.targets.values():
            cluster = target.get("kubernetes")
            if cluster.text("uid") and cluster.texts("namespaces"):
                what = "an account of single namespaces can't read kube-system, by whose uid a cluster is known"
                yield cluster.get("uid").problem(what, "Remove it, or `namespaces`.", of_key=True)


def _namespace_to_create(draft: Draft, _tree: Tree) -> Iterator[Problem]:
    for _, _, entry in applications(draft):
        if entry.flag("createNamespace", default=False) and not entry.text("namespace"):
            yield entry.get("createNamespace").problem("there is no namespace to create", "Name it: `namespace: …`.")


def _account_in_a_namespace(draft: Draft, _tree: Tree) -> Iterator[Problem]:
    for _, name, entry in applications(draft):
        account = account_of(entry, draft.repositories)
        if account.startswith(":"):
            node = entry.get("serviceAccountName") if entry.text("serviceAccountName") else entry
            what = f"{name} has no namespace to find service account {quoted(account[1:])} in"
            yield node.problem(what, f'Say `namespace`, or "namespace{account}".', of_key=True)


LISTED = "To deploy from this repository, list its url there under a name of its own."


def chart_url(repository: Node) -> str:
    """Give a repository's address; of a chart in a chart repository with its name behind it."""
    chart = repository.text("chart")
    return f"{repository.text('url')}#{chart}" if chart else repository.text("url")


def is_chart(repository: Node) -> bool:
    return bool(repository.text("chart")) or repository.text("url").startswith("oci://")


def _charts(draft: Draft, _tree: Tree) -> Iterator[Problem]:
    """Hold what is said of charts against what they are: versions of archives, and no commits of people's."""
    for node in draft.repositories.values():
        if not is_chart(node):
            continue
        scheme = node.text("url").partition("://")[0]
        if node.text("chart") and scheme not in {"https", "http"}:
            what = f"a chart repository is reached by https://, and {quoted(node.text('url'))} is none"
            yield node.get("url").problem(what, "A chart of an `oci://` registry is named by its URL alone.")
        if node.get("verify").value is not None:
            what = "a chart is no commit that somebody signs"
            yield node.get("verify").problem(what, "Pin its content: `version: 1.4.2@sha256:…` in the application.")
    for _, _, entry in applications(draft):
        repository = draft.repositories.get(entry.text("repository"))
        if repository is None:
            continue
        revision = entry.text("revision")
        if is_chart(repository) and revision and not FULL_COMMIT.fullmatch(revision):
            yield entry.get("revision").problem("a chart has versions, and neither branches nor tags", "Use `version`.")
        if not is_chart(repository) and entry.text("version"):
            what = f"{quoted(entry.text('repository'))} is a git repository, which has no versions of a chart"
            yield entry.get("version").problem(what, "Use `revision`: a branch, tag or commit.")
        if revision and entry.text("version"):
            yield entry.get("version").problem("beside `revision`, which says it too", "Keep one of them.")


RULES: tuple[Rule, ...] = (
    _repository_names,
    _known_repositories,
    _known_targets,
    _known_dependencies,
    _known_inputs,
    _known_predecessors,
    _signer_files,
    _one_way_in,
    _identity_in_reach,
    _namespace_to_create,
    _account_in_a_namespace,
    records_are_not_followed,
    states_are_said_once,
    branches_are_apart,
    _charts,
)
