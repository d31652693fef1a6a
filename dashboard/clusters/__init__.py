"""Contexts that administrators add and remove while the dashboard runs (docs/adr/0066)."""
