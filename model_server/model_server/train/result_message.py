"""A stage's result as a termination message, cut to what Kubernetes keeps.

Pure. Not here: writing it.
"""

from mlmodel_contract.run import MESSAGE_LIMIT, PackageResult, PrepareResult, Problem, ScoringResult, StageResult, VerifyResult


def termination_message(result: StageResult) -> str:
    """Return the result as JSON of at most ``MESSAGE_LIMIT`` bytes; the least important parts are cut first.

    Groups of rows go first (those that missed no criterion are last in the list), then problems after the first, then libraries, then the
    last of the competing recipes.
    """
    text = _json(result)
    while len(text.encode()) > MESSAGE_LIMIT:
        shorter = _shorter(result)
        if shorter is None:
            break
        result = shorter
        text = _json(result)
    return text


def _shorter(result: StageResult) -> StageResult | None:
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


def _json(result: StageResult) -> str:
    return result.model_dump_json(by_alias=True, exclude_none=True)
