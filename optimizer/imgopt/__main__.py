"""``python -m imgopt``."""

import sys

from imgopt.cli import main

if __name__ == "__main__":
    sys.exit(main())
