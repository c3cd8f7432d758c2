"""What every report of the unit tests says of its time and place."""

from datetime import datetime, timezone

from virt_exitstat.attach_plan import Attachment
from virt_exitstat.exit_reasons import Isa
from virt_exitstat.report import Provenance

WHEN_AND_WHERE = {
    "time": datetime(2026, 11, 22, 19, 53, 1, 250_000, tzinfo=timezone.utc),
    "provenance": Provenance("host1", "6.1.0", Isa.VMX, Attachment.RAW),
}
