"""What tests of the target share: `access` is a sandbox cluster, and then a real control plane."""

from __future__ import annotations

from tests.fixtures.either import access

__all__ = ["access"]
