"""Converge: a pull-based GitOps controller. `docs/architecture.md` is the map of the rooms below."""

__version__ = "0.1.0"
