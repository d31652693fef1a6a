"""Logs of containers: which, how they are read, merged, bounded and coloured. Sending them is ``live.logfeed``'s."""

from .backlog import Backlog, Line, Mark
from .download import log_text, logs_zip, whole_line
from .failures import Trouble, explain
from .options import SEARCHED, TAILS, LogOptions
from .reading import Reading, open_log
from .sgr import styled
from .stamps import Stamps, since_time
from .targets import KINDS_WITH_LOGS, Target, labels, targets

__all__ = [
    "KINDS_WITH_LOGS", "SEARCHED", "TAILS", "Backlog", "Line", "LogOptions", "Mark", "Reading", "Stamps", "Target",
    "Trouble", "explain", "labels", "log_text", "logs_zip", "open_log", "since_time", "styled", "targets",
    "whole_line",
]  # fmt: skip
