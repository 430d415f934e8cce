"""The little world that the tests' models learn: whether something is late, from two numbers and a category. Deterministic by its seed.

Runs in pods, beside the other scripts of this folder. Not here: where rows go.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

COLUMNS = ("x", "z", "c")


@dataclass(frozen=True)
class Behaviour:
    """How the world is: `shift` moves x and what is late with it, `slide` moves z and leaves the rule as it was, in a `contrary` world the
    truth is the opposite of what it was, and where x is `missing`, no row has a value of it.
    """

    shift: float = 0.0
    slide: float = 0.0
    contrary: bool = False
    missing: bool = False


def rows(random: np.random.Generator, count: int, behaviour: Behaviour | None = None) -> pd.DataFrame:
    """Draw rows with the columns x, z, c and late."""
    world = behaviour or Behaviour()
    x, z = random.normal(size=count) + world.shift, random.normal(size=count) + world.slide
    c = random.choice(list("abc"), count)
    probability = 1 / (1 + np.exp(-(1.5 * (x - world.shift) - z + (c == "a"))))
    late = random.random(count) < probability
    known_x = np.full(count, None) if world.missing else x
    return pd.DataFrame({"x": known_x, "z": z, "c": c, "late": late != world.contrary})
