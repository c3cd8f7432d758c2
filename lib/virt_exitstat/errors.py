"""What can go wrong, as values: a message, a hint, an exit status."""

from __future__ import annotations

import enum


class ExitStatus(enum.IntEnum):
    """The statuses that virt-exitstat ends with."""

    OK = 0
    #: The host cannot do it: no libvirt, no bcc, no headers, no KVM, not root, a stale record, output not writable.
    FAILURE = 1
    #: The command line is wrong.
    USAGE = 2
    #: What the command line names is not there: no such domain, vCPU, process or thread.
    NOT_FOUND = 3


class ExitStatError(Exception):
    """Base of all that is reported to the user as `virt-exitstat: message` and `hint: hint`."""

    status = ExitStatus.FAILURE

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(ExitStatError):
    """The command line is wrong."""

    status = ExitStatus.USAGE


class NotFoundError(ExitStatError):
    """What the command line names is not there."""

    status = ExitStatus.NOT_FOUND


class StaleRecordError(ExitStatError):
    """libvirt's record of a domain does not match what runs."""


class NotKvmError(NotFoundError):
    """What is named runs, but not on KVM: it takes no KVM exits."""
