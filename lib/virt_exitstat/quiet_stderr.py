"""What bcc and clang print and raise, kept from the screen and turned into one line."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator

from .errors import ExitStatError


@contextlib.contextmanager
def quiet_stderr(debug: bool, failure: str, hint: str = "") -> Iterator[None]:
    """Turn what bcc raises into one of our errors; keep what it and clang print from the screen, unless `debug`."""
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as said:
        if not debug:
            os.dup2(said.fileno(), 2)
        try:
            yield
        except ExitStatError:
            raise
        except Exception as error:
            said.seek(0)
            first = (said.read().decode(errors="replace").strip() or str(error)).splitlines()[0]
            raise ExitStatError(f"{failure}: {first}", f"{hint}--debug shows the whole output") from error
        finally:
            os.dup2(saved, 2)
            os.close(saved)
