"""Whole runs in a sandbox: comparisons, defects, false alarms, A/A pairs, the demo."""
