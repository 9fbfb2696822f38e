"""The sources: mirrors, Trees read at a commit without a checkout, ref polling, signatures; and the one committer."""

from controller.git.changes import SUMMARY, BranchFiles, Change, Explained, Files, Finish
from controller.git.committer import Committer
from controller.git.failures import CommitGone
from controller.git.history import CommitInfo
from controller.git.mirror import Deadlines, Mirror, Mirrors
from controller.git.objects import Damaged
from controller.git.push import PushResult
from controller.git.refs import FULL_ID, SHORT_ID, check_name, choose, ref_patterns
from controller.git.remote import parse_remote
from controller.git.signing import Sign, ssh_signer
from controller.git.stream import FAST_IMPORT_ARGS, Entry, Identity, NewCommit, import_stream
from controller.git.tree import GitTree

__all__ = [
    "FAST_IMPORT_ARGS",
    "FULL_ID",
    "SHORT_ID",
    "SUMMARY",
    "BranchFiles",
    "Change",
    "CommitGone",
    "CommitInfo",
    "Committer",
    "Damaged",
    "Deadlines",
    "Entry",
    "Explained",
    "Files",
    "Finish",
    "GitTree",
    "Identity",
    "Mirror",
    "Mirrors",
    "NewCommit",
    "PushResult",
    "Sign",
    "check_name",
    "choose",
    "import_stream",
    "parse_remote",
    "ref_patterns",
    "ssh_signer",
]
