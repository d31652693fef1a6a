"""Typed Kubernetes objects, their rows and their facts. Pure: no Django, no Channels, no client."""

from __future__ import annotations

from .base import Kind
from .registry import CUSTOM, KINDS, SECTIONS, by_kind, declared

__all__ = ["CUSTOM", "KINDS", "SECTIONS", "Kind", "by_kind", "declared"]
