"""Draws the pictures that the pocket model learns from, trains it, ships it and measures it.

Run its modules from the project folder: ``python -m scripts.pocket.train --help``, or ``scripts/train_pocket``.
"""
