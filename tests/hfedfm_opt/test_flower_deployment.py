"""A SuperLink and four SuperNodes over TLS; one is killed in a round and started again.

It takes minutes, as Flower starts a process for every message: set ``HFEDFM_DEPLOYMENT=1`` to run it.
"""

import os
import socket
import ssl
import threading
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs torch")
pytest.importorskip("flwr", reason="the engine is flwr: pip install 'hfedfm-opt[flower]'")

from fl_runtime import LearningSettings, run
from fl_runtime.device import training_devices
from fl_runtime.flower import DeployedNodes, Deployment, NodeFailure, deploy
from fl_runtime.flower.certificates import make_certificates
from hfedfm_opt import plan
from hfedfm_opt.system.generate.city import city_instance

takes_minutes = pytest.mark.skipif(
    "HFEDFM_DEPLOYMENT" not in os.environ, reason="takes minutes: set HFEDFM_DEPLOYMENT=1"
)
PATIENCE_S = float(os.environ.get("HFEDFM_DEPLOYMENT") or 60)


@pytest.fixture(scope="module")
def schedule():
    return plan(city_instance(8, 2), planner="hierarchical:2").plan.compile(rounds=3)


def left_behind(folder):
    """Return the processes that were started for a deployment in a folder: they all know it."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            content = path.read_bytes()
        except OSError:
            continue  # it has just ended, or is not ours
        if f"FLWR_HOME={folder}".encode() in content:
            found.append(path.parent.name)
    return found


def kill_one_in_round(deployment, checkpoint, index):
    """Kill SuperNode 1 once round ``index`` has begun, and start it again."""
    while not (checkpoint / f"round-{index:06d}.json").exists():
        time.sleep(0.05)
    deployment.kill_node(1)
    deployment.start_node(1)


@takes_minutes
@pytest.mark.slow
def test_a_killed_node_is_missing_in_its_round_alone(schedule, tmp_path):
    threads, folders = [], []

    def on_start(deployment):
        folders.append(deployment.folder)
        assert left_behind(deployment.folder)
        context = ssl.create_default_context(cafile=deployment.folder / "authority.pem")
        with (
            socket.create_connection(("127.0.0.1", deployment.port)) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as secure,
        ):
            assert secure.version() in ("TLSv1.2", "TLSv1.3")
        arguments = (deployment, tmp_path, 1)
        threads.append(threading.Thread(target=kill_one_in_round, args=arguments))
        threads[0].start()

    learning, nodes = LearningSettings(checkpoint=tmp_path), DeployedNodes(round_s=PATIENCE_S)
    result = deploy(schedule, learning=learning, nodes=nodes, on_start=on_start)
    threads[0].join()
    lost = tuple(sorted(training_devices(schedule)[1::4]))

    assert result.missing == {1: lost}
    assert result.summary()["missing"] == {"1": list(lost)}
    reasons = set(result.rounds[1].missing.values())
    assert all("no reply within" in why or "Unavailable" in why for why in reasons), reasons
    assert np.isfinite(result.measurements.learning.state["adapter"]).all()
    first = run(schedule).learning.accuracy[0]
    assert np.array_equal(result.measurements.learning.accuracy[0], first)  # all were there in round 0
    assert left_behind(folders[0]) == []


@takes_minutes
@pytest.mark.slow
def test_an_error_in_the_server_app_is_told_and_all_processes_end(schedule, tmp_path):
    (tmp_path / "round-000001.json").write_text("{}")
    folders = []

    with pytest.raises(NodeFailure, match="the ServerApp failed: CheckpointError"):
        deploy(
            schedule,
            learning=LearningSettings(checkpoint=tmp_path),
            on_start=lambda d: folders.append(d.folder),
        )
    assert left_behind(folders[0]) == []


def test_a_program_that_cannot_start_leaves_nothing_behind(monkeypatch):
    folders = []
    monkeypatch.setattr("fl_runtime.flower.deployment._program", lambda name: "/nowhere/flower-superlink")
    monkeypatch.setattr(
        "fl_runtime.flower.deployment.make_certificates",
        lambda folder: folders.append(folder) or make_certificates(folder),
    )

    with pytest.raises(FileNotFoundError), Deployment(1):
        pass
    assert not folders[0].exists()


@pytest.mark.parametrize(("field", "value"), [("device", "cpu"), ("model", object()), ("local", print)])
def test_what_supernodes_do_not_take_is_refused_before_anything_starts(schedule, field, value):
    with pytest.raises(ValueError, match=f"learning.{field} is given, but SuperNodes train the compact"):
        deploy(schedule, learning=LearningSettings(**{field: value}))


def test_certificates_are_for_this_machine_alone(tmp_path):
    files = make_certificates(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(files.certificate, files.key)
    client = ssl.create_default_context(cafile=files.authority)

    assert files.key.stat().st_mode & 0o077 == 0
    for name, is_right in (("localhost", True), ("127.0.0.1", True), ("example.org", False)):
        assert shaken_hands(server, client, name) == is_right
    assert not shaken_hands(server, ssl.create_default_context(), "localhost")


def shaken_hands(server, client, name):
    """Return whether a client takes a server for ``name``; no network is used."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLError:
                return False
    return True
