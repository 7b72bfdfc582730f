"""Where local state lives: everything under `.local/`, except what another user has to be able to read."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCAL = Path(os.environ.get("LOCALDEV_HOME") or ROOT / ".local")
RUN_FILE = LOCAL / "run.json"
DEMO_FILE = LOCAL / "demo.json"
ENV_FILE = LOCAL / "env.json"
CREDENTIALS_FILE = LOCAL / "credentials.json"
LOGS = LOCAL / "log"


def private_folder(path: Path) -> Path:
    """Create `path` readable by us alone, except that `.local` itself may be passed through."""
    path.mkdir(parents=True, exist_ok=True, mode=0o755)
    return path
