"""Whose an object is: by its owner references first, then by the labels that the operator has set."""

from typing import Any

import pytest
from mlmodel_operator.cluster.kinds import ML_MODEL, SERVICE
from mlmodel_operator.cluster.ownership import Key, owner_of

KEY, UID = Key("team", "late"), "uid-late"
OURS = {"app.kubernetes.io/managed-by": "mlmodel-operator", "mlmodel.dev/model": "late"}
MODEL_LABEL = {"mlmodel.dev/model": "late"}


def reference(uid: str, kind: str = "MLModel") -> dict[str, str]:
    return {"kind": kind, "name": "late", "uid": uid}


@pytest.mark.parametrize(
    ("labels", "references", "is_model", "is_other", "may_be_written"),
    [
        ({}, [reference(UID)], True, False, True),
        ({}, [reference("uid-earlier"), reference(UID)], True, False, True),
        (OURS, [reference("uid-earlier")], False, True, False),
        (OURS, [], False, False, True),
        (MODEL_LABEL, [], False, False, False),
        (OURS, [reference("uid-shop", "Shop")], False, False, False),
    ],
    ids=["owner", "one of two owners", "deleted model of the name", "lost owner", "label of a stranger", "owner of another kind"],
)
def test_an_object_is_the_models_by_reference_or_by_our_labels(
    labels: dict[str, str], references: list[dict[str, Any]], is_model: bool, is_other: bool, may_be_written: bool
) -> None:
    owner = owner_of(SERVICE, {"metadata": {"namespace": "team", "name": "late", "labels": labels, "ownerReferences": references}})
    assert owner is not None
    assert owner.key == KEY
    assert (owner.is_model(UID), owner.is_other_model(UID), owner.may_be_written(KEY, UID)) == (is_model, is_other, may_be_written)


def test_what_names_no_model_is_nobodys_and_a_model_is_its_own() -> None:
    metadata = {"namespace": "team", "name": "late"}
    assert owner_of(SERVICE, {"metadata": metadata}) is None
    owner = owner_of(ML_MODEL, {"metadata": metadata})
    assert owner is not None
    assert owner.key == KEY
