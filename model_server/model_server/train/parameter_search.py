"""Which candidate a trial tries, and with which parameters.

Pure: the same run and index give the same sample, so that a trial that is repeated after a crash tries the same. Not here: fitting.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from mlmodel_contract.manifest import Candidate, Scalar, Search


@dataclass(frozen=True)
class SampledCandidate:
    """A candidate with the parameters to set; empty parameters are scikit-learn's defaults."""

    candidate: Candidate
    parameters: Mapping[str, Scalar]


def sample_candidate(candidates: Sequence[Candidate], run: int, index: int) -> SampledCandidate | None:
    """Return what trial ``index`` tries; None where every candidate without a search was tried already.

    Candidates take turns: first each with its fixed parameters alone, then those with a search, each with newly drawn values.
    """
    if index < len(candidates):
        return SampledCandidate(candidates[index], candidates[index].parameters)
    searching = [candidate for candidate in candidates if candidate.search]
    if not searching:
        return None
    candidate = searching[(index - len(candidates)) % len(searching)]
    random = np.random.default_rng([run, index])
    sampled = {name: sample_value(search, random) for name, search in sorted(candidate.search.items())}
    return SampledCandidate(candidate, {**candidate.parameters, **sampled})


def sample_value(search: Search, random: np.random.Generator) -> Scalar:
    """Draw one value."""
    if search.choice is not None:
        return search.choice[int(random.integers(len(search.choice)))]
    if search.uniform is not None:
        return float(random.uniform(search.uniform[0], search.uniform[1]))
    if search.log_uniform is not None:
        low, high = search.log_uniform
        return float(f"{math.exp(random.uniform(math.log(low), math.log(high))):.4g}")
    low_number, high_number = search.integer or [0, 0]
    return int(random.integers(low_number, high_number, endpoint=True))
