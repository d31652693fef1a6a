"""Thin adapters from HTTP to queries, screens and actions."""
