"""`python -m hemostat_chaos.experiment FILE...`"""

import sys

from hemostat_chaos.experiment.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
