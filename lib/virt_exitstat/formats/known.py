"""The formats that reports can be written in."""

from __future__ import annotations

from collections.abc import Mapping

from .format import Format
from .json_document import JSON
from .records import CSV, WIDE
from .table import TABLE

#: {name: format}, the default first. Help, completions and --output read it.
FORMATS: Mapping[str, Format] = {one.name: one for one in (TABLE, WIDE, JSON, CSV)}
