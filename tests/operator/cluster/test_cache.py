"""The cache: whose an object is, which copy is the newer one, and what a full list puts right."""

from typing import Any

import pytest
from mlmodel_operator.cluster.cache import REPLICAS_OWNED_ELSEWHERE, Cache, Ref
from mlmodel_operator.cluster.kinds import DEPLOYMENT, JOB, ML_MODEL, MODEL_VERSION, MONITOR_REPORT, POD, Kind
from mlmodel_operator.cluster.ownership import Key

KEY = Key("team", "late")
OTHER = Key("team", "other")


def made(name: str, version: int, *, uid: str = "u1", model: str | None = "late", **parts: Any) -> dict[str, Any]:
    labels = {"mlmodel.dev/model": model} if model else {}
    metadata = {"namespace": "team", "name": name, "uid": uid, "resourceVersion": str(version), "labels": labels}
    return {"metadata": metadata | parts.pop("metadata", {}), **parts}


def owned_by(name: str) -> dict[str, Any]:
    return {"ownerReferences": [{"kind": "MLModel", "name": name, "uid": "m"}]}


def version_of(cache: Cache, kind: Kind, name: str, key: Key = KEY) -> str | None:
    found = cache.objects(key).get(Ref(kind, name))
    return found["metadata"]["resourceVersion"] if found else None


@pytest.mark.parametrize(
    ("kind", "body", "key"),
    [
        (ML_MODEL, made("late", 1, model=None), KEY),
        (POD, made("p", 1), KEY),
        (POD, made("p", 1, model=None), None),
        (JOB, made("j", 1, model=None, metadata=owned_by("late")), KEY),
        (JOB, made("j", 1, model="other", metadata=owned_by("late")), KEY),
        (MODEL_VERSION, made("late-v1", 1, model=None, spec={"model": "late"}), KEY),
        (MONITOR_REPORT, made("p", 1, model="other", spec={"model": "late"}), KEY),
    ],
)
def test_whose_an_object_is(kind: Kind, body: dict[str, Any], key: Key | None) -> None:
    cache = Cache()
    assert cache.put(kind, body) == key
    assert len(cache) == (1 if key else 0)
    assert cache.drop(kind, body) == key
    assert len(cache) == 0
    assert cache.keys == []


def test_an_older_copy_never_replaces_a_newer_one() -> None:
    cache = Cache()
    for version in (9, 10, 8):
        cache.put(POD, made("p", version))
    assert version_of(cache, POD, "p") == "10"


def test_another_object_of_the_same_name_replaces_the_old_one_whatever_its_version() -> None:
    cache = Cache()
    cache.put(POD, made("p", 10, uid="u1"))
    cache.put(POD, made("p", 5, uid="u2"))
    assert version_of(cache, POD, "p") == "5"


def test_the_end_of_an_old_object_does_not_drop_the_new_one_of_its_name() -> None:
    cache = Cache()
    cache.put(POD, made("p", 12, uid="u2"))
    cache.drop(POD, made("p", 11, uid="u1"))
    assert version_of(cache, POD, "p") == "12"


def test_a_list_evicts_what_is_gone_and_names_the_models_it_changed() -> None:
    cache = Cache()
    cache.put(POD, made("ghost", 3))
    cache.put(POD, made("same", 4, model="other"))
    cache.put(JOB, made("job", 5))
    touched = cache.replace(POD, [made("same", 4, model="other"), made("new", 6, model="third")], listed_at=20)
    assert touched == {KEY, Key("team", "third")}
    assert version_of(cache, POD, "ghost") is None
    assert version_of(cache, JOB, "job") == "5"


def test_a_list_that_is_older_than_a_watch_event_undoes_nothing() -> None:
    cache = Cache()
    cache.put(POD, made("made-since", 25))
    cache.put(POD, made("changed-since", 26))
    touched = cache.replace(POD, [made("changed-since", 7)], listed_at=20)
    assert version_of(cache, POD, "made-since") == "25"
    assert version_of(cache, POD, "changed-since") == "26"
    assert touched <= {KEY}


def test_a_list_finds_an_object_that_was_deleted_and_made_again() -> None:
    cache = Cache()
    cache.put(POD, made("p", 5, uid="u1"))
    assert cache.replace(POD, [made("p", 9, uid="u2")], listed_at=20) == {KEY}
    assert version_of(cache, POD, "p") == "9"


def test_an_object_that_went_to_another_model_leaves_no_ghost_after_a_list() -> None:
    cache = Cache()
    cache.put(POD, made("p", 5))
    cache.put(POD, made("p", 9, model="other"))
    assert cache.replace(POD, [made("p", 9, model="other")], listed_at=20) == {KEY}
    assert version_of(cache, POD, "p") is None
    assert version_of(cache, POD, "p", OTHER) == "9"


def test_copies_are_trimmed_and_know_who_scales() -> None:
    cache = Cache()

    def deployment(manager: str) -> dict[str, Any]:
        fields = [{"manager": manager, "fieldsV1": {"f:spec": {"f:replicas": {}}}}]
        return made("late-v1", 5, uid=manager, metadata={"managedFields": fields})

    for manager, elsewhere in (("kube-controller-manager", True), ("mlmodel-operator", False)):
        cache.put(DEPLOYMENT, deployment(manager))
        metadata = cache.objects(KEY)[Ref(DEPLOYMENT, "late-v1")]["metadata"]
        assert "managedFields" not in metadata
        assert metadata.get(REPLICAS_OWNED_ELSEWHERE, False) is elsewhere
    assert cache.objects(KEY)[Ref(DEPLOYMENT, "late-v1")]["kind"] == "Deployment"
