"""Pure rules over typed objects: what is wrong, what a change would do, how far a rollout is.

Knows neither Django nor Channels nor the client, and has no clock: the moment is passed in.
"""

from .finding import Finding
from .findings import findings, findings_for
from .protocols import Objects
from .rollout import Rollout, rollout_status

__all__ = ["Finding", "Objects", "Rollout", "findings", "findings_for", "rollout_status"]
