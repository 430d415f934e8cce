"""Turn a column as files hold it into the type that the manifest declares, or say which value does not fit.

Numbers become float64, categories strings, booleans bool, times microseconds in UTC; nothing and NaN become null.

Pure. Not here: reading files.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from mlmodel_contract.manifest import ColumnType

TIME = pa.timestamp("us", tz="UTC")
TYPES = {ColumnType.NUMBER: pa.float64(), ColumnType.CATEGORY: pa.string(), ColumnType.BOOLEAN: pa.bool_(), ColumnType.TIME: TIME}

_NOTHING = pa.array(["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "none"])
"""What CSV files write for a missing number, boolean or time; for a category only the empty text is missing, since NA may be Namibia."""

_TRUE, _FALSE = pa.array(["true", "t", "yes", "1", "1.0"]), pa.array(["false", "f", "no", "0", "0.0"])
_NUMBER = r"^[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|inf|Inf|infinity|Infinity|(?i:nan))$"
_TIMESTAMP = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?)?(Z|[+-]\d{2}(:?\d{2})?)?$"
_ZONED = r"(Z|[T ].*[+-]\d{2}(:?\d{2})?)$"


@dataclass(frozen=True)
class Converted:
    """A column of the declared type; where values did not fit they are null here, counted, and one of them is the example."""

    values: Any
    wrong: int = 0
    example: str = ""


def convert(values: Any, kind: ColumnType) -> Converted:
    """Convert a pyarrow array to the column type; values that do not fit are reported, never guessed."""
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_null(values.type):
        return Converted(pa.nulls(len(values), TYPES[kind]))
    return _CONVERTERS[kind](values)


def _number(values: Any) -> Converted:
    if _is_text(values):
        return _parsed(_present(values), _NUMBER, lambda texts: _without_nan(texts.cast(pa.float64())))
    if not (_is_numeric(values) or pa.types.is_boolean(values.type)):
        return _all_wrong(values, ColumnType.NUMBER)
    return Converted(_without_nan(values.cast(pa.float64(), safe=False)))


def _category(values: Any) -> Converted:
    if pa.types.is_floating(values.type):
        whole = pc.equal(values, pc.floor(values))
        if not pc.all(pc.fill_null(pc.or_(whole, pc.is_nan(values)), True)).as_py():
            return _wrong(values, pc.fill_null(pc.invert(whole), False), pa.nulls(len(values), pa.string()))
        values = pc.if_else(pc.is_finite(values), values, None).cast(pa.int64())
    if not (_is_text(values) or pa.types.is_integer(values.type) or pa.types.is_boolean(values.type)):
        return _all_wrong(values, ColumnType.CATEGORY)
    texts = values.cast(pa.string())
    return Converted(pc.if_else(pc.equal(texts, ""), None, texts))


def _boolean(values: Any) -> Converted:
    if pa.types.is_boolean(values.type):
        return Converted(values)
    if _is_numeric(values):
        numbers = _without_nan(values.cast(pa.float64(), safe=False))
        fits = pc.is_in(numbers, pa.array([0.0, 1.0, None]))
        return _wrong(values, pc.invert(fits), pc.if_else(fits, pc.equal(numbers, 1.0), None))
    if not _is_text(values):
        return _all_wrong(values, ColumnType.BOOLEAN)
    texts = pc.utf8_lower(_present(values))
    true, false = pc.is_in(texts, _TRUE), pc.is_in(texts, _FALSE)
    fits = pc.or_(pc.or_(true, false), pc.is_null(texts))
    return _wrong(values, pc.invert(fits), pc.if_else(pc.or_(true, false), true, None))


def _time(values: Any) -> Converted:
    """Times without a zone are UTC."""
    if pa.types.is_timestamp(values.type) or pa.types.is_date(values.type):
        return Converted(values.cast(pa.timestamp("us", tz=getattr(values.type, "tz", None)), safe=False).cast(TIME, safe=False))
    if not _is_text(values):
        return _all_wrong(values, ColumnType.TIME)
    return _parsed(_present(values), _TIMESTAMP, _timestamps)


def _timestamps(texts: Any) -> Any:
    zoned = pc.match_substring_regex(texts, _ZONED)
    with_zone = pc.if_else(zoned, texts, None).cast(TIME)
    without = pc.if_else(zoned, None, texts).cast(pa.timestamp("us")).cast(TIME)
    return pc.coalesce(with_zone, without)


_CONVERTERS: dict[ColumnType, Callable[[Any], Converted]] = {
    ColumnType.NUMBER: _number,
    ColumnType.CATEGORY: _category,
    ColumnType.BOOLEAN: _boolean,
    ColumnType.TIME: _time,
}


def _parsed(texts: Any, pattern: str, parse: Callable[[Any], Any]) -> Converted:
    """Parse texts; only where that fails, look for the values that do not match the pattern, or (a 31st of June) do not parse."""
    try:
        return Converted(parse(texts))
    except pa.ArrowInvalid:
        pass
    fits = pc.fill_null(pc.match_substring_regex(texts, pattern), True)
    fitting = pc.if_else(fits, texts, None)
    try:
        return _wrong(texts, pc.invert(fits), parse(fitting))
    except pa.ArrowInvalid:
        return _wrong(texts, pc.invert(_each_parses(texts, parse)), pa.nulls(len(texts), parse(texts.slice(0, 0)).type))


def _each_parses(texts: Any, parse: Callable[[Any], Any]) -> Any:
    """Try the distinct values one by one: slow, but only where the data is refused."""

    def parses(text: Any) -> bool:
        try:
            parse(pa.array([text.as_py()]))
        except pa.ArrowInvalid:
            return False
        return True

    distinct = pc.drop_null(pc.unique(texts))
    good = pa.array([text.as_py() for text in distinct if parses(text)], pa.string())
    return pc.or_(pc.is_in(texts, good), pc.is_null(texts))


def _wrong(values: Any, wrong: Any, converted: Any) -> Converted:
    count = pc.sum(wrong).as_py() or 0
    example = str(values.filter(wrong)[0].as_py()) if count else ""
    return Converted(converted, count, example[:40])


def _all_wrong(values: Any, kind: ColumnType) -> Converted:
    return _wrong(values, pc.is_valid(values), pa.nulls(len(values), TYPES[kind]))


def _present(texts: Any) -> Any:
    """Trimmed texts, null where they say that the value is missing."""
    trimmed = pc.utf8_trim_whitespace(texts.cast(pa.string()))
    return pc.if_else(pc.is_in(trimmed, _NOTHING), None, trimmed)


def _without_nan(numbers: Any) -> Any:
    return pc.if_else(pc.is_nan(numbers), None, numbers)


def _is_text(values: Any) -> bool:
    return bool(pa.types.is_string(values.type) or pa.types.is_large_string(values.type) or pa.types.is_string_view(values.type))


def _is_numeric(values: Any) -> bool:
    return bool(pa.types.is_integer(values.type) or pa.types.is_floating(values.type) or pa.types.is_decimal(values.type))
