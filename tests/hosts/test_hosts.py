from datetime import date

import pytest

from smista_mcp.core.policywords import HOST_NAMES
from smista_mcp.core.values import CAPABILITY_CLASS, Locality
from smista_mcp.errors import InvalidTask
from smista_mcp.hosts import HOSTS, UNKNOWN, HostSpec, detect, facts, known_host

NOTHING: frozenset[str] = frozenset()
each_host = pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.name)


def _name(host_override: str | None = None, client: str | None = None, *marks: str) -> str:
    return detect(host_override, client, frozenset(marks)).name


@each_host
def test_every_row_has_a_source_and_a_date(host: HostSpec) -> None:
    assert host.source
    assert date.fromisoformat(host.checked) >= date(2026, 11, 20)


def test_no_name_or_mark_belongs_to_two_hosts() -> None:
    names = [host.name for host in HOSTS]
    assert set(names) == set(HOST_NAMES)  # which a policy may name
    clients = [client.casefold() for host in HOSTS for client in host.client_names]
    marks = [mark for host in HOSTS for mark in host.marks]
    for one in (names, clients, marks):
        assert len(set(one)) == len(one)


@each_host
def test_a_host_is_recognised_by_each_of_its_own_names(host: HostSpec) -> None:
    assert detect(host.name, None, NOTHING) is host
    assert detect(f" {host.name.upper()} ", "Zed", frozenset({"CLAUDECODE"})) is host
    for client in host.client_names:
        assert detect(None, client, NOTHING) is host
        assert detect("", client.swapcase(), NOTHING) is host
    for mark in host.marks:
        assert detect(None, None, frozenset({mark, "PATH"})) is host


@pytest.mark.parametrize(
    ("client", "name"),
    [
        ("claude-code", "claude-code"),
        ("codex-mcp-client", "codex"),
        ("gemini-cli-mcp-client", "gemini-cli"),
        ("opencode", "opencode"),
        ("copilot-cli", "copilot-cli"),
        ("github-copilot-developer", "copilot-cli"),
        ("cursor-vscode", "cursor"),
        ("Visual Studio Code", "vscode"),
        ("windsurf-client", "windsurf"),
        ("Zed", "zed"),
        ("claude", "unknown"),
        ("claude-code-2", "unknown"),
        ("my agent", "unknown"),
    ],
)
def test_a_client_is_known_by_its_exact_name(client: str, name: str) -> None:
    assert _name(None, client) == name


def test_an_override_goes_before_the_client_and_the_client_before_the_environment() -> None:
    assert _name("zed", "codex-mcp-client", "CLAUDECODE") == "zed"
    assert _name(None, "codex-mcp-client", "CLAUDECODE") == "codex"
    assert _name(None, None, "CLAUDECODE") == "claude-code"
    assert _name() == "unknown"


def test_an_unknown_name_is_not_outvoted_by_the_surroundings() -> None:
    assert _name("emacs", "zed", "CLAUDECODE") == "unknown"
    assert _name(None, "an agent started in a shell of Claude Code", "CLAUDECODE") == "unknown"


def test_the_marks_of_two_hosts_decide_nothing() -> None:
    assert _name(None, None, "CLAUDECODE", "OPENCODE") == "unknown"


def test_an_unknown_host_is_treated_with_the_most_caution() -> None:
    assert UNKNOWN.call_limit_s == min(host.call_limit_s for host in HOSTS)
    assert (UNKNOWN.can_switch, UNKNOWN.elicitation, UNKNOWN.progress_resets_limit) == (False, False, False)
    assert not UNKNOWN.models


@each_host
def test_only_a_host_that_can_switch_names_models_and_its_step_has_a_place_for_one(host: HostSpec) -> None:
    if host.switch_step is None:
        assert not host.can_switch
        assert not host.models
        assert not host.further_models
    else:
        assert host.can_switch
        assert host.switch_step.count("{model}") == 1
        assert host.switch_step.replace("{model}", "m").isprintable()


@each_host
def test_how_a_host_switches_agrees_with_its_step(host: HostSpec) -> None:
    assert (host.switch == "none") is (host.switch_step is None)
    assert host.model_option is None or host.model_option.count("{model}") == 1
    assert host.start_limit_s is None or 0 < host.start_limit_s < host.call_limit_s


@each_host
def test_a_row_is_found_by_its_name(host: HostSpec) -> None:
    assert known_host(f" {host.name.upper()}") is host


def test_a_host_that_nobody_knows_is_refused_with_those_that_are() -> None:
    with pytest.raises(InvalidTask) as caught:
        known_host("emacs")
    assert all(host.name in caught.value.fix for host in HOSTS)


@each_host
def test_models_are_named_for_every_capability_class_or_for_none(host: HostSpec) -> None:
    assert set(host.models) in (set(), set(CAPABILITY_CLASS.values()))
    assert set(host.further_models).isdisjoint(host.models.values())


@each_host
def test_the_facts_of_a_host_are_its_row_with_the_locality_of_the_policy(host: HostSpec) -> None:
    for locality in Locality:
        known = facts(host, locality)
        assert (known.name, known.locality, known.switch_step) == (host.name, locality, host.switch_step)
        assert {name: known.models[name] for name in host.models} == host.models
        assert set(known.models.values()) == {*host.models.values(), *host.further_models}
