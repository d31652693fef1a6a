"""The sandbox's own errors."""


class SandboxError(Exception):
    """The sandbox could not do what was asked; the message says why and what helps, in words for its user."""
