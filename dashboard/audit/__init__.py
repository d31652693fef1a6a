"""The audit: a chain of entries to which every process adds, and from which only the oldest are taken (docs/adr/0060)."""
