"""Ratios against baselines, measured together: `python -m bench`."""
