"""Where the tests find the tool and each other; and a signal is a signal to them, however they are started."""

import resource
import signal
import sys
from pathlib import Path

# Not by pytest's `pythonpath`: Debian 11's pytest 6 does not know it.
_ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_ROOT / place) for place in ("lib", "tools", "tests", "tests/lab", "tests/host")]

# The usual limit, whatever this machine's is: what each run leaves open is to be felt.
_HARD_LIMIT = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, _HARD_LIMIT), _HARD_LIMIT))

# In the background of a shell or under nohup some are ignored, by us and by what we start.
for number, default in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGHUP, signal.SIG_DFL),
    (signal.SIGQUIT, signal.SIG_DFL),
):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, default)
