"""Following an operation: what is read of it, its steps, what became of each object, and the page of all three."""

from .results import RESULT_WORDS
from .screen import OperationScreen
from .state import RESULTS
from .steps import STEP_WORDS, named

__all__ = ["RESULTS", "RESULT_WORDS", "STEP_WORDS", "OperationScreen", "named"]
