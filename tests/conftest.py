"""Fixtures that every room's tests may ask for."""

pytest_plugins = ["tests.fixtures.cluster", "tests.fixtures.git", "tests.fixtures.seeds", "tests.fixtures.terraform"]
