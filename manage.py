#!/usr/bin/env python
"""Django's command line. `manage.py help` lists the commands; serve, signin_link and sandbox are ours."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cluster_ui.settings")
    execute_from_command_line(sys.argv)
