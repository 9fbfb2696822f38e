"""Instances for other systems: exporters are entry points; what they say goes to a branch or an end point."""

from controller.engine.exporting.finding import export_problems, exporter_of
from controller.engine.exporting.running import Aim, Exports

__all__ = ["Aim", "Exports", "export_problems", "exporter_of"]
