"""Errors as values: a message, a hint, an exit status."""

from __future__ import annotations

import enum


class ExitStatus(enum.IntEnum):
    """The statuses that virt-exitstat ends with."""

    OK = 0
    #: This host cannot do it: libvirt, bcc, headers, KVM or rights are missing, a file is stale.
    FAILURE = 1
    #: The command line is wrong.
    USAGE = 2
    #: A domain, vCPU, process or thread that the command line names does not exist.
    NOT_FOUND = 3


class ExitStatError(Exception):
    """Base of all errors that the user sees, as `virt-exitstat: message` and `hint: hint`."""

    status = ExitStatus.FAILURE

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(ExitStatError):
    """The command line is wrong."""

    status = ExitStatus.USAGE


class NotFoundError(ExitStatError):
    """A domain, vCPU, process or thread that the command line names does not exist."""

    status = ExitStatus.NOT_FOUND


class StaleFileError(ExitStatError):
    """libvirt's status file of a domain does not match what runs."""


class NotKvmError(NotFoundError):
    """The domain or process that is named runs without KVM: it takes no KVM exits."""
