"""`python -m auto_trading.reach`: the process that talks to the outside; the engine starts it."""

import os
import sys

from auto_trading.reach.process import main

code = main()
sys.stdout.flush()
sys.stderr.flush()
os._exit(code)  # a thread that hangs in somebody's library is not waited for
