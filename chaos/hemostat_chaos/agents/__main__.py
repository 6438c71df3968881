"""`python -m hemostat_chaos.agents`"""

import sys

from hemostat_chaos.agents.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
