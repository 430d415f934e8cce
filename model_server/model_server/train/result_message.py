"""Stages' results cut to what Kubernetes keeps of a termination message.

Pure. Not here: how results are written as a message (``stage_results.py`` of the contract).
"""

from collections.abc import Sequence
from typing import TypeVar

from mlmodel_contract.run import MESSAGE_LIMIT, PackageResult, PrepareResult, Problem, ScoringResult, StageResult, TrialResult, VerifyResult
from mlmodel_contract.stage_results import pack_results

_Result = TypeVar("_Result", PrepareResult, TrialResult, ScoringResult, PackageResult, VerifyResult, StageResult)


def fits(results: Sequence[StageResult]) -> bool:
    """Return whether the results make a message of at most ``MESSAGE_LIMIT`` bytes."""
    return len(pack_results(results).encode()) <= MESSAGE_LIMIT


def shortened(result: _Result) -> _Result:
    """Return the result so that it fits into a message alone; the least important parts are cut first.

    Groups of rows go first (those that missed no criterion are last in the list), then problems after the first, then libraries, then the
    last of the competing recipes.
    """
    while not fits([result]):
        shorter = _shorter(result)
        if shorter is None:
            break
        result = shorter
    return result


def _shorter(result: _Result) -> _Result | None:
    """Return the result with one thing less, None where nothing is left to cut."""
    if isinstance(result, PackageResult) and result.slices:
        return result.replace(slices=result.slices[:-1])
    if isinstance(result, ScoringResult) and result.versions:
        return result.replace(versions=result.versions[:-1])
    if isinstance(result, PrepareResult | PackageResult | VerifyResult) and len(result.problems) > 1:
        return result.replace(problems=_fewer(result.problems))
    if isinstance(result, PackageResult | VerifyResult) and result.libraries:
        return result.replace(libraries={})
    if isinstance(result, PackageResult) and len(result.records) > 2:
        return result.replace(records=result.records[:-1])
    if isinstance(result, PackageResult) and result.parameters:
        return result.replace(parameters={})
    return None


def _fewer(problems: list[Problem]) -> list[Problem]:
    """Drop the last problem, and say in a last one how many more there were."""
    if problems[-1].check != _MORE:
        return [*problems[:-2], _more(2)] if len(problems) > 2 else problems[:1]
    before = int(problems[-1].message.split()[0])
    return [*problems[:-2], _more(before + 1)] if len(problems) > 2 else problems[:1]


_MORE = "More"


def _more(count: int) -> Problem:
    return Problem(check=_MORE, message=f"{count} more problems were found: repair those above and run again")
