"""The contract of wire protocols: every protocol of ours keeps it, and so does one that somebody else has written."""

import pytest
from contracts import CONTRACTS

from smista_mcp.dispatch.connections import PROTOCOLS
from smista_mcp.providers.contract import LAWS


def test_every_protocol_is_held_to_the_contract() -> None:
    assert set(PROTOCOLS) <= set(CONTRACTS)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("name", CONTRACTS)
def test_a_protocol_keeps_the_law(name: str, law: str) -> None:
    CONTRACTS[name].check(law)
