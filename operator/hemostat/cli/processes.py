"""Commands that run a process of Hemostat, and the one that says which version this is."""

import sys


def observe() -> None:
    """Run the process that detects and diagnoses; settings come from the environment."""
    from hemostat import app

    sys.exit(app.observe())


def act() -> None:
    """Run the process that gates, acts and verifies; settings come from the environment."""
    from hemostat import app

    sys.exit(app.act())


def relay() -> None:
    """Run the process that asks people in Slack and passes on their word; settings come from the environment."""
    from hemostat import app

    sys.exit(app.relay())


def version() -> None:
    """Print the version."""
    from hemostat import __version__

    print(f"hemostat {__version__}")
