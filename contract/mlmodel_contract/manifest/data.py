"""``spec.data``, and ``spec.model`` in its place: where rows come from and what they must look like.

Not here: reading or checking rows.
"""

from enum import StrEnum

from pydantic import Field

from ..base import ColumnName, Digest, Document, Duration
from .rules import Rule, SourceURI, cel, map_list


class ExternalModel(Document):
    """A bundle that was trained elsewhere."""

    uri: SourceURI = Field(description="Folder of the bundle: s3://bucket/path, https://host/path or pvc://claim/path.")
    digest: Digest = Field(description="sha256 of the bundle's manifest.json; another bundle is refused.")
    credentials: str | None = Field(
        None, max_length=253, description="Name of a Secret of this namespace with the keys that the URI needs."
    )


class Captured(Document):
    """The live rows whose label has come back; it has no fields yet."""


class Source(Document):
    """One place that rows come from."""

    model_config = {"json_schema_extra": cel(Rule("has(self.uri) != has(self.captured)", "a source needs exactly one of uri and captured"))}

    uri: SourceURI | None = Field(
        None,
        description="Parquet (.parquet) or CSV (.csv, .csv.gz) files, * allowed: s3://bucket/path, https://host/path or pvc://claim/path.",
    )
    captured: Captured | None = Field(None, description="Write {} here to learn from live rows whose label has come back as feedback.")
    credentials: str | None = Field(
        None,
        max_length=253,
        description="Name of a Secret of this namespace. For s3: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, where not AWS, "
        "AWS_ENDPOINT_URL; for https: an Authorization header under the key AUTHORIZATION.",
    )


class ColumnType(StrEnum):
    """What a column holds."""

    NUMBER = "number"
    CATEGORY = "category"
    BOOLEAN = "boolean"
    TIME = "time"


class Column(Document):
    """One column of the schema that data, requests and checks are held to."""

    model_config = {
        "json_schema_extra": cel(
            Rule(
                "self.type == 'number' || !(has(self.min) || has(self.max))",
                "only columns of type number have min and max",
            ),
            Rule("!has(self.min) || !has(self.max) || self.min <= self.max", "a column's min must not exceed its max"),
            Rule("!has(self.sensitive) || !self.sensitive || self.type != 'time'", "a column of type time cannot be sensitive"),
        )
    }

    name: ColumnName = Field(description="The column's name in the data and in requests.")
    type: ColumnType = Field(description="number, category (text), boolean, or time (ISO 8601).")
    min: float | None = Field(None, description="Smallest valid number; rows below it are invalid.")
    max: float | None = Field(None, description="Largest valid number; rows above it are invalid.")
    sensitive: bool = Field(
        False, description="Live values are used and counted but never kept: captured rows lack the column, reports do not name its values."
    )
    max_missing: float = Field(1.0, ge=0, le=1, description="Largest share of missing values that the data check lets pass.")


class Checks(Document):
    """What the data must keep before anything learns from it."""

    min_rows: int = Field(100, ge=10, description="Fewest rows after cleaning.")
    max_duplicates: float = Field(
        1.0,
        ge=0,
        le=1,
        description="Largest share of rows that equal another one, data.time included; they are dropped. Without it none is dropped.",
    )
    max_invalid: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Largest share of rows with a value outside its column's min and max; such rows are dropped.",
    )
    max_unseen_categories: float = Field(
        1.0, ge=0, le=1, description="Largest share of holdout rows with a category that the training rows do not have."
    )
    max_coverage_difference: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Largest difference, from one range of predictions to another, of the share of captured rows whose label came; "
        "0.2 by default.",
    )


class Data(Document):
    """Data preparation: where rows come from and what they must look like."""

    model_config = {
        "json_schema_extra": cel(
            Rule("self.columns.exists(c, c.name == self.target)", "data.target must be one of data.columns"),
            Rule(
                "!has(self.time) || self.columns.exists(c, c.name == self.time && c.type == 'time')",
                "data.time must be one of data.columns and have the type time",
            ),
            Rule(
                "self.columns.exists(c, c.name != self.target && c.type != 'time')",
                "data.columns needs at least one column beside the target and the time: a feature",
            ),
            Rule(
                "!self.columns.exists(c, has(c.sensitive) && c.sensitive && c.name == self.target)",
                "data.target cannot be sensitive: its true values are what is learnt from",
            ),
            Rule(
                "!self.sources.exists(s, has(s.captured)) || !self.columns.exists(c, has(c.sensitive) && c.sensitive)",
                "sensitive columns are not captured, so captured rows cannot be learnt from: leave sources.captured out, or bring the rows "
                "and their labels as a source of your own",
            ),
            Rule(
                "!has(self.window) || has(self.time)",
                "data.window needs data.time, the column that rows are ordered by",
            ),
        )
    }

    sources: list[Source] = Field(
        min_length=1,
        max_length=16,
        description="Places that rows come from; they are read in this order and put together.",
    )
    target: ColumnName = Field(description="The column to predict.")
    time: ColumnName | None = Field(
        None,
        description="The column that orders rows in time. Requests may carry it; live rows without it have the time of their request.",
    )
    window: Duration | None = Field(None, description="Only rows this far back from the newest one are learnt from; all by default.")
    columns: list[Column] = Field(
        min_length=2,
        max_length=256,
        description="The schema: the features, the target, and the time.",
        json_schema_extra=map_list("name"),
    )
    checks: Checks = Field(default_factory=Checks, description="What the data must keep before anything learns from it.")

    @property
    def features(self) -> list[Column]:
        """The columns that a model sees: all but the target and those of type time."""
        return [column for column in self.columns if column.name != self.target and column.type is not ColumnType.TIME]

    def column(self, name: str) -> Column:
        """Return the column of that name, which must be there."""
        return next(column for column in self.columns if column.name == name)
