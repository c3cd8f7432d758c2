"""Names that OpenStack's nova gave a domain. Values only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class NovaNames:
    """What nova wrote into the domain's metadata; empty where it wrote nothing. Tenants choose most of these."""

    instance: str = ""
    flavor: str = ""
    project: str = ""
    project_id: str = ""
    user: str = ""
    user_id: str = ""
