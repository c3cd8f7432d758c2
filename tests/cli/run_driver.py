"""run_cli() in the world of the command-line tests, as a process of its own. Its arguments are the tool's.

$WORLD is the directory for the made-up host. With $DB01_BECOMES, the domain db01 is of that type from the first report
on, which is noted: only domains of type kvm take KVM exits. With $GROWS, counts grow with the time that passes.
"""

import os
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[level] / name) for level, name in ((0, ""), (1, ""), (2, "lib"))]

from fake_world import DB01, World  # noqa: E402

from virt_exitstat.cli import run_cli  # noqa: E402
from virt_exitstat.clock import Clock  # noqa: E402


def run(argv):
    world = World(Path(os.environ["WORLD"]))
    if "DB01_BECOMES" in os.environ:
        change = {"domain": DB01, "domain_type": os.environ["DB01_BECOMES"]}
        world.before_reading = lambda: world.host.add_status(1200, [(0, 1201)], **change)
    if "GROWS" in os.environ:
        world.clock = Clock()
    return world.main(*argv)


if __name__ == "__main__":
    run_cli(run)
