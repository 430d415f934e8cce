"""``Document.replace`` takes the fields of its class alone: for mypy, which reports an unused comment below, and when it runs."""

import pytest
from mlmodel_contract.status import LiveVersion


def test_replace_changes_the_named_fields_in_a_copy() -> None:
    live = LiveVersion(version="late-v1", since="2024-05-01T12:00:00Z")
    assert live.replace(ready_replicas=2) == LiveVersion(version="late-v1", since="2024-05-01T12:00:00Z", ready_replicas=2)
    assert live.ready_replicas == 0


def test_replace_takes_no_other_name_and_mypy_no_other_type() -> None:
    live = LiveVersion(version="late-v1", since="2024-05-01T12:00:00Z")
    with pytest.raises(TypeError, match="LiveVersion has no field replicas"):
        live.replace(replicas=2)  # type: ignore[call-arg]
    live.replace(ready_replicas="two")  # type: ignore[arg-type]
