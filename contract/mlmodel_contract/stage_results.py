"""The results that a trainer pod leaves in its termination message: one as JSON, several as JSON too or, where that is long, deflated.

Not here: the results themselves (``run.py``), and what is cut of one that is too long, which the trainer decides.
"""

from collections.abc import Sequence

from pydantic import TypeAdapter

from .packing import PackedText
from .run import MESSAGE_LIMIT, StageResult

_ONE: TypeAdapter[StageResult] = TypeAdapter(StageResult)
_SEVERAL: TypeAdapter[list[StageResult]] = TypeAdapter(list[StageResult])
_DEFLATED: PackedText[list[StageResult]] = PackedText(list[StageResult])


def pack_results(results: Sequence[StageResult]) -> str:
    """Return the message; it may be longer than ``MESSAGE_LIMIT`` bytes where it cannot be made shorter."""
    if len(results) == 1:
        return results[0].model_dump_json(by_alias=True, exclude_none=True)
    text = _SEVERAL.dump_json(list(results), by_alias=True, exclude_none=True)
    return text.decode() if len(text) <= MESSAGE_LIMIT else _DEFLATED.pack(list(results))


def unpack_results(message: str) -> list[StageResult]:
    """Return the results in the order of their stages.

    Raises:
        ValueError: the message is no result, or a damaged one.

    """
    if message.startswith("{"):
        return [_ONE.validate_json(message)]
    return _SEVERAL.validate_json(message) if message.startswith("[") else _DEFLATED.unpack(message)
