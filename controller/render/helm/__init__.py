"""Helm charts: what templating one takes, and the objects that come of it. The templating itself is helm's, a need."""

from controller.render.helm.templating import chart_drafts

__all__ = ["chart_drafts"]
