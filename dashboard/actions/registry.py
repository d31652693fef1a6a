"""Every action, a line each: addresses, forms, offers, rights and words come from its declaration. Those of plugins
come at the start of the program.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dashboard.errors import NotFound
from dashboard.kinds.base import Kind
from dashboard.kinds.rows import listed
from dashboard.models import Change

from .action import Action
from .autoscale import AUTOSCALE, EDIT_AUTOSCALER
from .bulk import BULK, Bulk
from .cluster_backup import CLUSTER_BACKUP
from .cordon import CORDON, UNCORDON
from .create_yaml import CREATE
from .creation import CREATE_ALL
from .debug import DEBUG
from .delete import DELETE, EVICT
from .delete_any import DELETE_ANY
from .drain import DRAIN
from .drill import DRILL
from .edit import EDIT
from .edit_any import EDIT_ANY
from .edit_form import EDIT_FORM
from .env import ENV
from .expand import EXPAND
from .image import IMAGE
from .pause import PAUSE, RESUME
from .pause_autoscaler import PAUSE_AUTOSCALER, RESUME_AUTOSCALER
from .records import undo_words
from .replace import REPLACE
from .replace_secret import REPLACE_SECRET
from .repoint import REPOINT
from .resources import RESOURCES
from .restart import RESTART
from .restore import RESTORE
from .rollback import ROLLBACK
from .rotate import ROTATE
from .run import RUN_CRONJOB, RUN_JOB
from .scale import SCALE
from .suspend import RESUME_JOBS, SUSPEND
from .velero_restore import VELERO_RESTORE
from .versions import VERSIONS

# In the order in which they are offered. Several of one name are for different kinds; the first of them stands for those
# kinds that none of them names.
ACTIONS: list[Action] = [
    SCALE,
    AUTOSCALE,
    EDIT_AUTOSCALER,
    RESTART,
    ROLLBACK,
    IMAGE,
    ENV,
    RESOURCES,
    PAUSE,
    RESUME,
    PAUSE_AUTOSCALER,
    RESUME_AUTOSCALER,
    RUN_CRONJOB,
    RUN_JOB,
    SUSPEND,
    RESUME_JOBS,
    EXPAND,
    DEBUG,
    EDIT_FORM,
    EDIT_ANY,
    EDIT,
    VERSIONS,
    REPLACE,
    ROTATE,
    REPLACE_SECRET,
    DELETE_ANY,
    DELETE,
    EVICT,
    CORDON,
    UNCORDON,
    DRAIN,
    CREATE,
    CREATE_ALL,
    REPOINT,
    RESTORE,
    DRILL,
    CLUSTER_BACKUP,
    VELERO_RESTORE,
]


def action_names() -> tuple[str, ...]:
    """The words in addresses, each once."""
    return tuple(dict.fromkeys(action.name for action in ACTIONS))


def actions_of(kind: Kind[Any]) -> list[Action]:
    """What can be done with the objects of a kind."""
    return [action for action in ACTIONS if action.fits(kind)]


def action_named(name: str, plural: str) -> Action:
    """The action of a name on a kind, which its cluster may offer no more. Raises KeyError for a name of none."""
    if name.startswith(BULK):
        return Bulk(action_named(name.removeprefix(BULK), plural), action_named)
    named = [action for action in ACTIONS if action.name == name]
    if not named:
        raise KeyError(name)
    return next((action for action in named if plural in action.kinds), named[0])


def action_of(change: Change) -> Action:
    """The action that made a change."""
    return action_named(change.action, change.plural)


def change_title(change: Change) -> str:
    """What a change did, in the words of its action's form; of an undo as one."""
    try:
        title = action_of(change).title
    except KeyError:  # of a plugin that is no longer installed
        title = change.action.capitalize()
    return undo_words(change, title)


def name_words(name: str) -> str:
    """What an entry of the audit did by its name, in the words of the action's form; what has no form says it itself:
    ``bulk-image`` → ``Set image, many objects``, ``allow-changes`` → ``Allow changes``.
    """
    one = name.removeprefix(BULK)
    words = next((action.title for action in ACTIONS if action.name == one), one.replace("-", " "))
    return f"{words[:1].upper()}{words[1:]}{', many objects' if name != one else ''}"


def action_for(name: str, kind: Kind[Any], kinds: Iterable[Kind[Any]]) -> Action:
    """An action on a kind. Raises NotFound where there is none of that name for it, with those that it is for."""
    named = [action for action in ACTIONS if action.name == name]
    found = next((action for action in named if action.fits(kind)), None)
    if found is None:
        fitting = [each.title for each in kinds if any(action.fits(each) for action in named)]
        raise NotFound(
            f"{named[0].title} is not an action on {kind.title}.",
            next_step=f"It is one on {listed(fitting, 'more kinds')}." if fitting else "",
        )
    return found
