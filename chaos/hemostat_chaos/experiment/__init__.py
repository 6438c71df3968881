"""Runs ChaosExperiments: a fault, what the loop must do about it, and a verdict.

The verdict is a pure function of what was seen (`verdict.py`); `runner.py` is the shell that injects and looks.
"""
