"""Stands in for AI-Toolkit's run.py: the same argument, words, tables and files, but no model and no mathematics."""

from __future__ import annotations

import sys

from aitoolkit_double.job import main

sys.exit(main(sys.argv[1]))
