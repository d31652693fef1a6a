"""The map of what belongs together: a screen, the boxes it draws, and the same facts as a table."""

from .screen import MapScreen

__all__ = ["MapScreen"]
