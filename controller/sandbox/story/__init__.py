"""The demo: a story told on real git repositories and a cluster, each step with what happened and how long it took."""

from controller.sandbox.story.real import real_control_plane
from controller.sandbox.story.scenes import tell_story
from controller.sandbox.story.stage import Place, Stage, open_stage
from controller.sandbox.story.telling import Teller

__all__ = ["Place", "Stage", "Teller", "open_stage", "real_control_plane", "tell_story"]
