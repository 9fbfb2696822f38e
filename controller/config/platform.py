"""The platform repository, from its files to `model.Platform`.

Read every file, those of health rules and models too, hold each against its schema, then all of them against each
other, and only when nothing is wrong build values: whoever holds a Platform need not check it again.
"""

from __future__ import annotations

from controller.config.building import platform_of
from controller.config.draft import draft
from controller.config.groups import group_problems
from controller.config.health import read_health
from controller.config.own_models import read_models
from controller.config.rules import RULES
from controller.model import Invalid, Platform, Tree


def read_platform(tree: Tree) -> Platform:
    """Read converge.yaml and environments/ of a platform repository at a commit.

    Mistakes that concern single groups (a cycle of `dependsOn`, a target that a repository may not touch) are in
    `Platform.problems`, and stop these groups alone. Any other raises Invalid, with every problem of every file.
    """
    read = draft(tree)
    health = read_health(tree)
    models = read_models(tree)
    alone = (*read.problems, *health.problems, *models.problems)
    problems = {*alone, *(problem for rule in RULES for problem in rule(read, tree))}
    groups = group_problems(read)
    if problems or read.platform is None:
        raise Invalid({*problems, *(problem for found in groups.values() for problem in found)})
    return platform_of(read, read.platform, groups, health.rules, models.models)
