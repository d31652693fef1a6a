"""What if something failed: which pods end, where they run again, and what becomes of Services, quorums and data.

``loss`` reads what somebody asks about, ``pods`` tells what becomes of each pod, ``effects`` what follows from that.
Pure, and of one moment: nothing is written, and nothing is guessed of what may not be read.
"""

from .effects import Consequences, consequences
from .loss import Loss, LossError, read_loss

__all__ = ["Consequences", "Loss", "LossError", "consequences", "read_loss"]
