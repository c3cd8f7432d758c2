"""What a test needs of the machine it runs on."""

import os
import shutil

import pytest


def give_up(why):
    """End a test that lacks `why`: it fails where all tests were asked for, by $CI, and is skipped elsewhere."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(why)


def find_program(name, package):
    """Where a program is, in PATH or where root's are; give up without it."""
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"]))
    return found or give_up(f"no {name}: 'apt install {package}', or tests/setup, installs it")
