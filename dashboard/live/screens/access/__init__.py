"""What somebody may do in a cluster, and who may do something: ``/c/<context>/access/``."""

from .screen import AccessScreen

__all__ = ["AccessScreen"]
