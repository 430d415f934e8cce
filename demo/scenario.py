"""What is replayed, how fast, and under which names. No behaviour but the arithmetic of the replay's clock."""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

NAMESPACE = "airline"
MODEL = "flight-delay"
BUCKET = "airline"
STORAGE = "storage"  # the Secret, Service, Deployment and claim of the S3 server
REPLAY = "replay"  # the Job, and the ConfigMap of its script
SYSTEM_NAMESPACE = "mlmodel-system"
RELEASE = "mlmodel"
PREDICTIONS = "replay/predictions.parquet"  # in the bucket, as replay.yaml names it
STORE = f"s3://{BUCKET}/mlmodel"

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples" / "flights"
CHART = ROOT / "charts" / "mlmodel-operator"
RESULTS = ROOT / ".demo"


@dataclass(frozen=True)
class Scenario:
    """The days that the first model learns from, the days that are replayed, and how long one of these takes."""

    history_first: date
    history_last: date
    first: date
    last: date
    seconds_per_day: float

    @property
    def days(self) -> int:
        """How many days are replayed."""
        return (self.last - self.first).days + 1

    @property
    def seconds(self) -> float:
        """How long the replay takes."""
        return self.days * self.seconds_per_day

    def week(self, day: date) -> date:
        """Return the first day of the replay's week that the day is in."""
        return self.first + timedelta(days=(day - self.first).days // 7 * 7)


FULL = Scenario(date(2013, 1, 1), date(2013, 3, 31), date(2013, 4, 1), date(2013, 12, 31), seconds_per_day=3.0)
SHORT = Scenario(date(2013, 1, 1), date(2013, 3, 31), date(2013, 6, 10), date(2013, 7, 14), seconds_per_day=2.0)
"""Five weeks of the summer alone, with the same model of the winter."""
