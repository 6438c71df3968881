"""`python -m hemostat` is the command line."""

from hemostat.cli.main import run

if __name__ == "__main__":
    run()
