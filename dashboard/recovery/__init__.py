"""Backups of what an API server holds: the archive, where it lies, how it is made."""
