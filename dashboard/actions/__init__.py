"""Writes for a user: preview → apply → follow → undo. Services take keyword arguments and are named <entity>_<action>.

A new action is one module with an :class:`~dashboard.actions.action.Action`; the engine does the rest.
"""
