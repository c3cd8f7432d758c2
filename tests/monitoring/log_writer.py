"""The tool in the world of the command-line tests, in real time and as a process of its own.

Its counts grow by the second. Its arguments are the tool's; $WORLD is the directory for the made-up host.
"""

import os
import sys
from pathlib import Path

_TREE = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(_TREE / place) for place in ("lib", "tests", "tests/cli")]

from fake_world import World  # noqa: E402

from virt_exitstat.cli import run_cli  # noqa: E402
from virt_exitstat.clock import Clock  # noqa: E402


def run(argv):
    world = World(Path(os.environ["WORLD"]))
    world.clock = Clock()
    return world.main(*argv)


if __name__ == "__main__":
    run_cli(run)
