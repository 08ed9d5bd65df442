"""The benchmark stands beside the library, not in it."""

from __future__ import annotations

import sys
from pathlib import Path

PROJECT_DIR = str(Path(__file__).resolve().parents[2])
if PROJECT_DIR not in sys.path:
    sys.path.append(PROJECT_DIR)
