"""The figures of this process for Prometheus that are counted where something happens; those that are looked up when
somebody asks are in ``live/figures.py``.
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

LOOP_LAG = Histogram(
    "cluster_ui_loop_lag_seconds",
    "How long the event loop took to get to something that was ready.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
LOOP_LONGEST = Gauge(
    "cluster_ui_loop_longest_lag_seconds", "The longest the event loop took since the process started."
)
LOOP_HELD = Counter(
    "cluster_ui_loop_held_total", "How often something held the event loop for more than 100 ms."
)
TOO_LARGE = Counter(
    "cluster_ui_frames_too_large_total", "Parts of pages that were too large for a frame of the websocket."
)
BACKUP_LAST = Gauge(
    "cluster_ui_backup_last_good_timestamp_seconds",
    "When the last complete backup of a cluster was verified after it was written.",
    ["context"],
)
BACKUP_OBJECTS = Gauge(
    "cluster_ui_backup_last_good_objects", "Objects in the last complete backup of a cluster.", ["context"]
)
BACKUP_BYTES = Gauge(
    "cluster_ui_backup_last_good_bytes", "Size of the last complete backup of a cluster.", ["context"]
)
BACKUP_FAILED = Gauge(
    "cluster_ui_backup_failed", "Backups of a cluster that failed since its last complete one.", ["context"]
)
VELERO = Gauge(
    "cluster_ui_velero",
    "1 of a cluster that was found to have Velero, which makes backups of its own.",
    ["context"],
)
DRILL_PASSED = Gauge(
    "cluster_ui_drill_last_passed_timestamp_seconds",
    "When the last drill of a cluster began of which all was equal to the backup.",
    ["context"],
)
SLOWED = Counter(
    "cluster_ui_socket_slowed_total",
    "Looks and messages of browsers that had to wait, or were refused, by their rate.",
)
CLOCK_AHEAD = Gauge(
    "cluster_ui_clock_ahead_seconds",
    "How far this machine's clock is before the database's; 0 below a second.",
)
OPEN_SOCKETS = Gauge("cluster_ui_sockets", "Websockets that are open: live pages and shells.")
WATCH_EVENTS = Counter(
    "cluster_ui_watch_events_total", "Events that watches brought, bookmarks too.", ("context", "kind")
)
API_REQUESTS = Counter(
    "cluster_ui_api_requests_total",
    "Requests that API servers answered, by the verb of its authorizer and by status.",
    ("context", "verb", "code"),
)
ACTIONS = Counter(
    "cluster_ui_actions_total",
    "Entries of the audit that this process wrote: what was done, refused or failed.",
    ("action", "result"),
)
REQUEST_SECONDS = Histogram(
    "cluster_ui_request_seconds",
    "From a request to its answer, without the time for its body, by the name of its address.",
    ("view", "code"),
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)

MAX_WORDS = 300  # of what somebody may come to choose; the rest is one


class Tally:
    """A number that the event loop alone counts, where a lock for each would be felt."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0


MESSAGES = Tally()  # to browsers, by their websockets

_words: set[str] = set()


def bounded(word: str) -> str:
    """A label's value; "other" for one of more than so many: each is kept for as long as the process lives."""
    if word in _words or len(_words) < MAX_WORDS:
        _words.add(word)
        return word
    return "other"
