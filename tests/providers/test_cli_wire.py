"""What a CLI reads on its standard input, cut into its texts again by the check at egress: every byte has a name."""

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from smista_mcp.core import clearance
from smista_mcp.core.clearance import ClearedPayload, manifest_of
from smista_mcp.core.digests import digest_of
from smista_mcp.core.globs import GlobSet
from smista_mcp.core.pieces import Block, Piece
from smista_mcp.core.values import Effort, Intent
from smista_mcp.dispatch.prompts import FRAMES, messages
from smista_mcp.errors import Code, ProviderError
from smista_mcp.providers.base import ClearedWire, CompletionRequest, Message, ToolCall, ToolSpec
from smista_mcp.providers.cli_wire import encode_stdin, texts_of_stdin
from smista_mcp.providers.egress import Watch, check_departure

SEAL: object = vars(clearance)["_SEAL"]
WORDS = "explain the file"
WATCH = Watch(GlobSet(["secrets/**"], ignore_case=True), frozenset(), frozenset({digest_of(WORDS)}), FRAMES)
TEXTS = st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=40)


def payload(*texts: str) -> ClearedPayload[CompletionRequest]:
    pieces = [
        Piece(Block(f"{n}.py", text), f"{n}.py", digest_of(text), 2, kind="file", forms=(f"{n}.py",))
        for n, text in enumerate(texts)
    ]
    asked = messages(Intent.REVIEW, WORDS, [one.block for one in pieces])
    request = CompletionRequest(model="m", messages=asked, effort=Effort.LOW)
    return ClearedPayload(request, manifest_of(pieces, [one.parts for one in asked]), tuple(pieces), (), seal=SEAL)


def check(one: ClearedWire) -> None:
    check_departure(one, "m", frozenset(), WATCH, texts_of_stdin)


def with_body(one: ClearedWire, body: bytes) -> ClearedWire:
    return replace(one, wire=replace(one.wire, body=body))


@given(texts=st.lists(TEXTS, max_size=3))
def test_what_consists_of_its_items_leaves(texts: list[str]) -> None:
    check(encode_stdin(payload(*texts)))


@example(texts=[], at=2000, added=b" ")  # by itself a text that every body may hold
@given(texts=st.lists(TEXTS, max_size=2), at=st.integers(0, 2000), added=st.binary(min_size=1, max_size=3))
def test_one_byte_more_does_not_leave(texts: list[str], at: int, added: bytes) -> None:
    one = encode_stdin(payload(*texts))
    body = one.wire.body
    grown = body[:at] + added + body[at:]
    with pytest.raises(ProviderError) as refused:
        check(with_body(one, grown))
    assert (refused.value.code, refused.value.sent) == (Code.RESTRICTED_CONTENT, False)


@given(at=st.integers(0, 500))
def test_one_byte_less_does_not_leave(at: int) -> None:
    one = encode_stdin(payload("x = 1\n"))
    cut = at % len(one.wire.body)
    with pytest.raises(ProviderError):
        check(with_body(one, one.wire.body[:cut] + one.wire.body[cut + 1 :]))


def test_a_request_with_tools_is_for_no_cli() -> None:
    plain = payload()
    tool, call = ToolSpec("read_file", "", {}), ToolCall("1", "read_file", "{}")
    for request in (
        replace(plain.request, tools=(tool,)),
        replace(plain.request, messages=(*plain.request.messages, Message("assistant", "", calls=(call,)))),
    ):
        other = ClearedPayload(request, plain.manifest, (), (), seal=SEAL)
        with pytest.raises(ProviderError) as refused:
            encode_stdin(other)
        assert refused.value.code is Code.MISSING_CAPABILITY
