"""The figures of this process for Prometheus: every one is named here."""

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
SLOWED = Counter(
    "cluster_ui_socket_slowed_total",
    "Looks and messages of browsers that had to wait, or were refused, by their rate.",
)
CLOCK_AHEAD = Gauge(
    "cluster_ui_clock_ahead_seconds",
    "How far this machine's clock is before the database's; 0 below a second.",
)
LAST_BACKUP = Gauge(
    "cluster_ui_last_backup_timestamp_seconds",
    "When the newest backup in the storage of CLUSTER_UI_BACKUP_TO was made, by context (its slug).",
    ["context"],
)
