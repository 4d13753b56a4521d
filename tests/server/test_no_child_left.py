"""A server that runs an embedded model takes it along, however it ends. Needs Linux's list of processes."""

import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from raw_host import RawHost, children_of, is_running
from tiny_gguf import write_tiny_gguf

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
POLICY = '[routing.default]\nmodel = "llamacpp/tiny"\n'


@pytest.fixture
def host(tmp_path: Path) -> Iterator[RawHost]:
    home = tmp_path / "home"
    (home / "state/models").mkdir(parents=True)
    (home / "config.toml").write_text(POLICY, encoding="utf-8")
    write_tiny_gguf(home / "state/models/tiny.gguf")
    work = tmp_path / "work"
    work.mkdir()
    with RawHost.started(home, work) as started:
        yield started


def with_a_child(host: RawHost) -> list[int]:
    host.greet()
    answer = host.call("dispatch", {"text": "say hello"})["structuredContent"]
    assert answer["phases"][0]["model"] == "llamacpp/tiny", answer
    children = children_of(host.process.pid)
    assert children
    return children


def ended(host: RawHost, children: list[int]) -> bool:
    """Whether the server ended, and its children with it."""
    host.exit()
    return not any(map(is_running, children))


def test_no_child_is_left_after_a_signal(host: RawHost) -> None:
    children = with_a_child(host)
    host.interrupt(signal.SIGTERM)
    assert ended(host, children)


def test_no_child_is_left_after_the_end_of_input(host: RawHost) -> None:
    children = with_a_child(host)
    host.end_input()
    assert ended(host, children)


def test_no_child_is_left_after_a_kill(host: RawHost) -> None:
    children = with_a_child(host)
    host.process.kill()
    host.exit()
    patience = time.monotonic() + 5
    while any(map(is_running, children)):
        assert time.monotonic() < patience
        time.sleep(0.01)
