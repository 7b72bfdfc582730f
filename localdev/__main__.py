"""`python -m localdev …`: what the Makefile calls."""

from __future__ import annotations

import sys

from localdev.commands import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
