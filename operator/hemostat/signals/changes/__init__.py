"""Change correlation: what was changed just before, as objects of the API server show it (pure)."""

from hemostat.signals.changes.compare import differences
from hemostat.signals.changes.derive import JOINED, derived
from hemostat.signals.changes.meanwhile import by_others, detail_of, meanwhile, takes_back
from hemostat.signals.changes.noted import RECENT, ChangeKind, ChangeLog, Noted, Ref, ref_of
from hemostat.signals.changes.template import (
    REVISED,
    config_maps,
    present_revision,
    revision_name,
    revision_of,
    revision_template,
    rollouts,
    template_difference,
)

__all__ = [
    "JOINED",
    "RECENT",
    "REVISED",
    "ChangeKind",
    "ChangeLog",
    "Noted",
    "Ref",
    "by_others",
    "config_maps",
    "derived",
    "detail_of",
    "differences",
    "meanwhile",
    "present_revision",
    "ref_of",
    "revision_name",
    "revision_of",
    "revision_template",
    "rollouts",
    "takes_back",
    "template_difference",
]
