"""Operations that are commits on the platform repository: each a pure function from its tree to changed files.

A person could have made every one of these commits by hand; nothing else of the program knows of operations.
"""

from controller.engine.operations.accepting import Accept, acceptance, with_prepared
from controller.engine.operations.approving import Approve
from controller.engine.operations.cloning import CloneEnvironment, elsewhere, mentions, silent_on_states
from controller.engine.operations.entries import entry_of
from controller.engine.operations.operation import Operation, OperationChange, edited
from controller.engine.operations.overlays import Image, parse_image
from controller.engine.operations.promoting import Promote, revision_to_carry
from controller.engine.operations.rolling_back import RollBack
from controller.engine.operations.setting import SetImage, SetReplicas, folder_of
from controller.engine.operations.suspending import Resume, Suspend
from controller.engine.operations.trees import EditedTree
from controller.engine.operations.ways import Accepted

__all__ = [
    "Accept",
    "Accepted",
    "Approve",
    "CloneEnvironment",
    "EditedTree",
    "Image",
    "Operation",
    "OperationChange",
    "Promote",
    "Resume",
    "RollBack",
    "SetImage",
    "SetReplicas",
    "Suspend",
    "acceptance",
    "edited",
    "elsewhere",
    "entry_of",
    "folder_of",
    "mentions",
    "parse_image",
    "revision_to_carry",
    "silent_on_states",
    "with_prepared",
]
