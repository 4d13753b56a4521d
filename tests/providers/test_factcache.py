import json
from functools import partial
from pathlib import Path

import anyio.to_thread
import pytest
from scripted_server import scripted

from smista_mcp.core.facts import LiveModel, ProviderFacts
from smista_mcp.core.values import Locality
from smista_mcp.providers.factcache import cached_facts, known_facts, store_facts
from smista_mcp.providers.probe import ProbeTarget

NOW = 1_795_176_000.0
TARGET = ProbeTarget("ollama", "ollama", "http://127.0.0.1:11434", Locality.LOCAL)
FACTS = {"ollama": ProviderFacts(Locality.LOCAL, reachable=True, models={"m": LiveModel("m", 8192)})}
GONE = {"ollama": ProviderFacts(Locality.LOCAL, reachable=False, detail="nothing listens")}


def test_facts_are_kept_for_a_while(tmp_path: Path) -> None:
    file = tmp_path / "facts.json"
    assert store_facts(file, [TARGET], FACTS, now=NOW)
    assert cached_facts(file, [TARGET], now=NOW) == FACTS
    assert cached_facts(file, [TARGET], now=NOW + 30) == FACTS
    assert cached_facts(file, [TARGET], now=NOW + 30.1) is None
    assert cached_facts(file, [TARGET], now=NOW + 2, max_age_s=1) is None


def test_facts_from_the_future_are_not_believed(tmp_path: Path) -> None:
    store_facts(tmp_path / "f", [TARGET], FACTS, now=NOW)
    assert cached_facts(tmp_path / "f", [TARGET], now=NOW - 1) is None


def test_a_server_that_was_not_there_is_soon_looked_for_again(tmp_path: Path) -> None:
    store_facts(tmp_path / "f", [TARGET], GONE, now=NOW)
    assert cached_facts(tmp_path / "f", [TARGET], now=NOW + 2) == GONE
    assert cached_facts(tmp_path / "f", [TARGET], now=NOW + 4) is None


@pytest.mark.parametrize(
    "other",
    [
        ProbeTarget("other", "ollama", TARGET.base_url, Locality.LOCAL),
        ProbeTarget("ollama", "openai-compat", TARGET.base_url, Locality.LOCAL),
        ProbeTarget("ollama", "ollama", "http://127.0.0.1:1", Locality.LOCAL),
        ProbeTarget("ollama", "ollama", TARGET.base_url, Locality.REMOTE),
        ProbeTarget("ollama", "ollama", TARGET.base_url, Locality.LOCAL, key="k"),
        ProbeTarget("ollama", "ollama", TARGET.base_url, Locality.LOCAL, wanted=("m",)),
    ],
)
def test_facts_of_other_questions_are_not_taken(tmp_path: Path, other: ProbeTarget) -> None:
    store_facts(tmp_path / "f", [TARGET], FACTS, now=NOW)
    assert cached_facts(tmp_path / "f", [other], now=NOW) is None
    assert cached_facts(tmp_path / "f", [TARGET, other], now=NOW) is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"\xff", b"null", b"[" * 100_000])
def test_a_broken_file_is_no_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "f").write_bytes(content)
    assert cached_facts(tmp_path / "f", [TARGET], now=NOW) is None
    assert store_facts(tmp_path / "f", [TARGET], FACTS, now=NOW)
    assert cached_facts(tmp_path / "f", [TARGET], now=NOW) == FACTS


def test_a_file_that_was_tampered_with_in_one_place_is_no_file(tmp_path: Path) -> None:
    file = tmp_path / "f"
    store_facts(file, [TARGET], FACTS, now=NOW)
    content = json.loads(file.read_bytes())
    for key, value in (("at", "now"), ("at", None), ("targets", 1), ("facts", {}), ("facts", {"ollama": 1})):
        file.write_text(json.dumps(content | {key: value}), encoding="utf-8")
        assert cached_facts(file, [TARGET], now=NOW) is None


def test_the_file_is_private_holds_no_key_and_leaves_no_part(tmp_path: Path) -> None:
    file = tmp_path / "f"
    store_facts(file, [ProbeTarget("p", "ollama", TARGET.base_url, Locality.LOCAL, key="hush")], FACTS, now=NOW)
    assert file.stat().st_mode & 0o777 == 0o600
    assert b"hush" not in file.read_bytes()
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_that_is_missing_or_a_file_in_the_way_is_no_error(tmp_path: Path) -> None:
    assert not store_facts(tmp_path / "missing" / "f", [TARGET], FACTS, now=NOW)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "x").touch()
    assert not store_facts(tmp_path / "taken", [TARGET], FACTS, now=NOW)
    assert cached_facts(tmp_path / "taken", [TARGET], now=NOW) is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["taken"]


@pytest.mark.anyio
async def test_decisions_in_quick_succession_ask_once(tmp_path: Path) -> None:
    body = b'{"models": [{"name": "m:latest"}]}'
    async with scripted(b"HTTP/1.0 200 OK\r\n\r\n" + body) as server:
        target = ProbeTarget("ollama", "ollama", server.base_url, Locality.LOCAL)
        cache = tmp_path / "facts.json"
        for now in (NOW, NOW + 10, NOW + 29):
            facts = await anyio.to_thread.run_sync(partial(known_facts, [target], cache=cache, now=now, deadline_s=2))
            assert facts["ollama"].models == {"m:latest": LiveModel("m:latest")}
        assert len(server.requests) == 1
        await anyio.to_thread.run_sync(partial(known_facts, [target], cache=cache, now=NOW + 60, deadline_s=2))
        assert len(server.requests) == 2
        await anyio.to_thread.run_sync(partial(known_facts, [target], cache=None, now=NOW + 60, deadline_s=2))
        assert len(server.requests) == 3


def test_without_targets_nothing_is_asked_and_nothing_written(tmp_path: Path) -> None:
    assert known_facts([], cache=tmp_path / "f", now=NOW) == {}
    assert list(tmp_path.iterdir()) == []


def test_where_a_server_is_says_the_policy_and_never_the_file(tmp_path: Path) -> None:
    remote = ProbeTarget("gateway", "openai-compat", TARGET.base_url, Locality.REMOTE)
    store_facts(tmp_path / "f", [remote], {"gateway": ProviderFacts(Locality.LOCAL, reachable=True)}, now=NOW)
    content = json.loads((tmp_path / "f").read_text())
    content["facts"]["gateway"]["locality"] = "local"
    (tmp_path / "f").write_text(json.dumps(content))
    found = cached_facts(tmp_path / "f", [remote], now=NOW)
    assert found is not None
    assert found["gateway"].locality is Locality.REMOTE
