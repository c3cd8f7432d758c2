"""Names that OpenStack's nova gave a domain. Values only."""

from __future__ import annotations

from typing import NamedTuple


class NovaNames(NamedTuple):
    """What nova wrote into the domain's metadata; empty where it wrote nothing. Tenants choose most of these.

    The fields are the labels that the metric has.
    """

    instance_name: str = ""
    flavor_name: str = ""
    project_name: str = ""
    project_id: str = ""
    user_name: str = ""
    user_id: str = ""
