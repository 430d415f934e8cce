"""Whatever dies, served = counted + missed, nothing is counted twice, and labels are never lost."""

import signal

import pytest
from mlmodel_contract.environment import SOCKET_ROWS

from devtools.bundles import late_flights
from devtools.pods import ServerPod, pod, poll
from tests.model_server.support.request_bodies import flights, ids, labels

pytestmark = pytest.mark.slow


def counted(made: ServerPod) -> float:
    return made.monitored("rows_total", outcome="counted")


def missed(made: ServerPod) -> float:
    return made.monitored("rows_total", outcome="missed")


def test_a_restarted_sidecar_goes_on_exactly() -> None:
    with pod(late_flights()) as made:
        monitor, _ = made.start_both()
        identities = [identity for _ in range(5) for identity in ids(made.infer(flights(10)))]
        made.label(labels(identities[:7], True))
        monitor.send_signal(signal.SIGTERM)
        assert monitor.wait(30) == 0
        made.monitor()
        assert (counted(made), missed(made)) == (50, 0)
        assert made.monitored("labels_total", outcome="scored") == 7
        assert made.infer(flights(30)).status_code == 200
        poll(lambda: counted(made) == 80, "the rows after the restart")
        assert missed(made) == 0
        assert made.monitored("rows_captured_total") == 50


def test_serving_goes_on_without_the_sidecar_and_it_learns_what_it_missed() -> None:
    with pod(late_flights()) as made:
        made.serve()
        assert made.infer(flights(20)).status_code == 200
        poll(lambda: made.served("handover_dropped_rows_total") == 20, "rows that nobody takes are given up, after the answer")
        made.monitor()
        poll(lambda: missed(made) == 20, "the number of missed rows, with no more traffic")
        assert made.infer(flights(5)).status_code == 200
        poll(lambda: counted(made) == 5, "the rows that came later")
        assert missed(made) == 20


def test_a_killed_sidecar_loses_no_row_without_saying_so() -> None:
    with pod(late_flights()) as made:
        made.serve()
        for _ in range(3):
            monitor = made.monitor()
            identity, *_ = ids(made.infer(flights(40)))
            made.label({"id": identity, "truth": False})
            monitor.send_signal(signal.SIGKILL)
            monitor.wait(10)
            assert made.infer(flights(10)).status_code == 200
        made.monitor()
        poll(lambda: counted(made) + missed(made) == 150, "all rows, counted or missed")
        assert missed(made) >= 30
        assert made.monitored("labels_total", outcome="scored") == 3


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_a_new_server_process_is_distinguished_from_its_former_self(end: signal.Signals) -> None:
    with pod(late_flights()) as made:
        _, server = made.start_both()
        assert made.infer(flights(20)).status_code == 200
        poll(lambda: counted(made) == 20, "the rows of the first server")
        server.send_signal(end)
        server.wait(30)
        made.serve()
        assert made.infer(flights(7)).status_code == 200
        poll(lambda: counted(made) == 27, "the rows of the second server")
        assert missed(made) == 0


def test_a_burst_and_a_request_longer_than_a_packet_are_counted_to_the_last_row() -> None:
    with pod(late_flights(), capture_fraction=0.0) as made:
        made.start_both()
        for _ in range(200):
            assert made.infer(flights(20)).status_code == 200
        assert made.infer(flights(5_000)).status_code == 200
        poll(lambda: counted(made) == 9_000, "all rows")
        assert missed(made) == 0


def test_damaged_packets_change_nothing() -> None:
    import socket

    with pod(late_flights()) as made:
        made.start_both()
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stranger:
            stranger.connect(str(made.path(SOCKET_ROWS)))
            for damaged in (
                b"junk",
                b"[]",
                b"{}",
                b"{}\n",
                b'{"ids": ["a"], "server": "s", "served": 1, "time": 0, "numbers": [], "others": []}\n' + bytes(8),
                b'{"ids": ["a"], "server": "s", "served": 1, "time": 0, "numbers": [], "others": {}}\n',
                b'{"ids": ["a"], "server": "s", "served": 1, "time": 0, "numbers": ["distance"], "others": {}}\n' + bytes(8),
                b'{"ids": ["a"], "server": "s", "served": 1, "time": 0, "numbers": [], "others": {"carrier": []}}\n' + bytes(8),
                b'{"ids": ["a"], "server": "s", "served": 1, "time": 0, "numbers": [], "others": {"carrier": [[]]}}\n' + bytes(8),
            ):
                stranger.send(damaged)
        assert made.infer(flights(3)).status_code == 200
        poll(lambda: counted(made) == 3, "the good rows")
        assert made.monitored("damaged_batches_total") == 9
