"""`python -m hemostat_chaos.demo`"""

import sys

from hemostat_chaos.demo.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
