"""Chart repositories and registries, seen as git repositories: a version is a commit of what is in its archive."""

from controller.git.charts.address import ChartAddress, chart_address
from controller.git.charts.host import ChartHost

__all__ = ["ChartAddress", "ChartHost", "chart_address"]
