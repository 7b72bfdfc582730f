#!/usr/bin/env python
"""Django's command line."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sync_console.settings")
    if "SECRET_KEY" not in os.environ:
        from localdev.borrowing import borrow_demo_environment

        borrow_demo_environment()
    execute_from_command_line(sys.argv)
