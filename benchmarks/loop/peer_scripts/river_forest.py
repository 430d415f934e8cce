"""river's adaptive random forest with its defaults: predicts each row, then learns its label; writes the live rows' predictions.

Run by ``adaptive_forest.py`` in river's own environment: rows and features from an .npz file, predictions into another.
"""

import sys
from importlib.metadata import version

import numpy as np
from river.forest import ARFClassifier, ARFRegressor


def main(rows_file: str, predictions_file: str) -> None:
    """Predict and learn the rows of a file, and write the predictions into another."""
    given = np.load(rows_file, allow_pickle=False)
    values, target, first_live, classes = given["values"], given["target"], int(given["first_live"]), int(given["classes"])
    names, categories = given["names"].tolist(), set(given["categories"].tolist())
    forest = ARFClassifier(seed=1, nominal_attributes=sorted(categories)) if classes else ARFRegressor(seed=1)
    predictions = np.zeros((len(values) - first_live, classes or 1))
    for number, (row, truth) in enumerate(zip(values, target, strict=True)):
        features = dict(zip(names, row.tolist(), strict=True))
        if number >= first_live:
            predictions[number - first_live] = predict(forest, features, classes)
        if np.isfinite(truth):
            forest.learn_one(features, int(truth) if classes else float(truth))
    np.savez(predictions_file, predictions=predictions)
    print(version("river"))  # noqa: T201 (read by the caller)


def predict(forest: ARFClassifier | ARFRegressor, features: dict[str, float], classes: int) -> list[float]:
    """Return the probabilities of the classes, or the number."""
    if not classes:
        return [forest.predict_one(features)]
    found = forest.predict_proba_one(features)
    return [found.get(one, 0.0) for one in range(classes)]


main(*sys.argv[1:])
