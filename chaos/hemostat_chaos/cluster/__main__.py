"""Entry point of ``python -m hemostat_chaos.cluster``."""

import sys

from hemostat_chaos.cluster.cli import main

if __name__ == "__main__":
    sys.exit(main())
