"""Where counts come from: the host, and how the kernel program was attached. Values only."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from ..isa.instruction_set import Isa


class Attachment(enum.Enum):
    """What the user can ask for with --attach."""

    AUTO = "auto"
    RAW = "raw"
    TRACEPOINT = "tracepoint"


@dataclass(frozen=True)
class Provenance:
    """Where and how exits were counted: the host's name, its kernel's release, the ISA, the attachment."""

    host: str
    kernel: str
    isa: Isa
    attachment: Attachment
