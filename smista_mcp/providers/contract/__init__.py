"""The contract of a wire protocol as tests to run, for whoever writes one; ours are held to the same.

    import pytest
    from smista_mcp.providers.contract import LAWS, Answer, Contract

    CONTRACT = Contract(
        protocol=PROTOCOL,
        answers=[Answer("hello", body=Path("hello.txt").read_bytes(), text="Hello", stop="stop")],
    )

    @pytest.mark.parametrize("law", LAWS)
    def test_the_contract(law: str) -> None:
        CONTRACT.check(law)

What breaks a law is a `Broken`, an `AssertionError` that says which and how. Nothing here needs pytest, a network or a
clock; the same contract is judged the same way each time. `Contract` says what has to be recorded.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from smista_mcp.providers.contract.answers import ANSWER_LAWS
from smista_mcp.providers.contract.requests import REQUEST_LAWS
from smista_mcp.providers.contract.terms import Answer, Broken, Failure, Terms

__all__ = ["LAWS", "Answer", "Broken", "Contract", "Failure"]

_LAWS: Final[Mapping[str, Callable[[Terms], None]]] = MappingProxyType({**REQUEST_LAWS, **ANSWER_LAWS})
LAWS: Final[tuple[str, ...]] = tuple(_LAWS)
"""The names of all laws; each is what `Contract.check` takes. What a law asks for stands at its function."""


class Contract(Terms):
    """A protocol with what was recorded of it, to be checked law by law. Fields as in `Terms`."""

    def check(self, law: str) -> None:
        """Checks one law.

        Raises:
            Broken: the protocol breaks it.
            KeyError: there is no such law.
        """
        judge = _LAWS[law]
        try:
            judge(self)
        except Broken as broken:
            raise Broken(f"{law}: {broken}") from None
