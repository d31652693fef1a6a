"""The page of one object: a head, and tabs; its overview is made of cards.

- A new card: a module in ``cards/``, a template in ``templates/cards/``, a line in ``cards/__init__.py``.
- A new tab: a module here, a template in ``templates/tabs/``, a line in ``tabs.py``.
"""

from .logs import LogsTab
from .screen import DetailScreen
from .tabs import TABS
from .yaml import YamlTab

__all__ = ["TABS", "DetailScreen", "LogsTab", "YamlTab"]
