"""The origin of counts: the host, and how the kernel program was attached. Values only."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from ..isa.instruction_set import Isa


class Attachment(enum.Enum):
    """Values of --attach."""

    AUTO = "auto"
    RAW = "raw"
    TRACEPOINT = "tracepoint"


@dataclass(frozen=True)
class Provenance:
    """The host's name, its kernel's release, the ISA and the attachment that exits were counted with."""

    host: str
    kernel: str
    isa: Isa
    attachment: Attachment
