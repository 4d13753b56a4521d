"""What each host is told when a phase is given back to it."""

from pathlib import Path

import pytest

from smista_mcp.app import Caller, open_app
from smista_mcp.core.decision import Decision
from smista_mcp.core.task import Task
from smista_mcp.core.values import CAPABILITY_CLASS, Intent, Locality, Status
from smista_mcp.hosts import HOSTS, HostSpec
from smista_mcp.loading.environment import Environment
from smista_mcp.loading.layers import Settings

POLICY = """\
[routing]
handoff = "{handoff}"

[routing.default]
model = "openai-compat:gone/m"
{more}
[providers."openai-compat:gone"]
base_url = "http://127.0.0.1:9/v1"
locality = "local"
"""


def decided(home: Path, host: HostSpec, policy: str) -> Decision:
    (home / "config.toml").write_text(policy, encoding="utf-8")
    app = open_app(Settings(environment=Environment.read({"SMISTA_HOME": str(home)}), workspace=None))
    client = host.client_names[0] if host.client_names else None
    return app.route(Task(text="Write the parser.", intent=Intent.EDIT), Caller(client)).decisions[0]


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.name)
def test_a_host_is_told_the_step_that_it_has_or_that_it_cannot_switch(host: HostSpec, tmp_path: Path) -> None:
    decision = decided(tmp_path, host, POLICY.format(handoff="when_unavailable", more=""))
    assert decision.status is Status.HANDOFF
    assert decision.handoff is not None
    usual = host.models.get(CAPABILITY_CLASS[Intent.EDIT])
    if host.switch_step is None or usual is None:
        assert decision.handoff.step is None
    else:
        assert decision.handoff.step == host.switch_step.replace("{model}", usual)
    assert ("this host cannot switch" in decision.handoff.detail) == (host.switch_step is None)
    assert "switched" not in decision.model_dump_json()


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.name)
@pytest.mark.parametrize(
    ("handoff", "more"), [("never", ""), ("when_unavailable", '[[routing.rules]]\nname = "here"\nlocal_only = true\n')]
)
def test_no_host_gets_what_the_policy_keeps_from_it(host: HostSpec, handoff: str, more: str, tmp_path: Path) -> None:
    if more:
        more += 'model = "openai-compat:gone/m"\n'
    decision = decided(tmp_path, host, POLICY.format(handoff=handoff, more=more))
    assert decision.status is Status.REFUSED
    assert decision.handoff is None
    assert decision.locality in (None, Locality.LOCAL)
