"""A secret is stopped in the JSON that is sent if and only if it is one in the text that was cleared."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from smista_mcp.core import clearance
from smista_mcp.core.clearance import ClearedPayload, manifest_of
from smista_mcp.core.digests import digest_of
from smista_mcp.core.globs import GlobSet
from smista_mcp.core.pieces import Block, Part, Piece, PieceKind
from smista_mcp.core.secretscan import placed_secrets, secrets_in
from smista_mcp.core.values import Effort, Intent
from smista_mcp.dispatch.prompts import FRAMES, messages
from smista_mcp.errors import Code, ProviderError
from smista_mcp.providers.base import ClearedWire, CompletionRequest
from smista_mcp.providers.egress import Watch, check_departure
from smista_mcp.providers.openai_compat import OpenAiCompat

SEAL: object = vars(clearance)["_SEAL"]
CORE = Path(__file__).parent.parent / "core"
WORDS = "explain the file"
WATCH = Watch(GlobSet([".env"], ignore_case=True), frozenset(), frozenset({digest_of(WORDS)}), FRAMES)
VALUE = "q7Zt" + "B2mX9vKc4LwP" + "8sRn3HdY"


def texts(name: str) -> list[str]:
    return ["".join(case["text_parts"]) for case in json.loads((CORE / name).read_text(encoding="utf-8"))]


PAIRS: list[dict[str, Any]] = json.loads((CORE / "secret_pairs.json").read_text(encoding="utf-8"))
TEXTS = [
    *texts("secret_cases.json"),
    *texts("secret_cases_second.json"),
    *texts("secret_cases_third.json"),
    *(f"{pair['before']}{''.join(pair['secret'])}{pair['behind']}" for pair in PAIRS),
    *("".join(pair["harmless"]) for pair in PAIRS),
]


def piece(text: str, kind: PieceKind = "file") -> Piece:
    forms = ("src/a.py",) if kind == "file" else ()
    return Piece(Block("src/a.py", text), "src/a.py", digest_of(text), 2, kind=kind, forms=forms)


def departing(*pieces: Piece) -> ClearedWire:
    asked = messages(Intent.REVIEW, WORDS, [one.block for one in pieces])
    request = CompletionRequest(model="m", messages=asked, effort=Effort.LOW, max_output_tokens=100)
    manifest = manifest_of(pieces, [message.parts for message in asked])
    return ClearedWire(ClearedPayload(request, manifest, pieces, (), seal=SEAL), OpenAiCompat().encode(request))


def spelled(one: ClearedWire) -> Iterator[ClearedWire]:
    """The same JSON as other writers put it."""
    body = json.loads(one.wire.body)
    plain = json.dumps(body)
    for text in (one.wire.body.decode(), plain, plain.replace("/", "\\/"), json.dumps(body, indent=2)):
        yield replace(one, wire=replace(one.wire, body=text.encode()))
    spelled_out = json.dumps(body).replace("\\\\", "\0").replace("\\n", "\\u000a").replace("\0", "\\\\")
    yield replace(one, wire=replace(one.wire, body=spelled_out.encode()))


def stopped(one: ClearedWire, watch: Watch = WATCH) -> Code | None:
    try:
        check_departure(one, "m", OpenAiCompat().words, watch)
    except ProviderError as refused:
        return None if refused.sent else refused.code
    return None


@pytest.mark.parametrize("text", TEXTS)
def test_a_body_is_stopped_if_and_only_if_its_text_holds_a_secret(text: str) -> None:
    expected = Code.SECRET_DETECTED if secrets_in(text) else None
    assert [stopped(one) for one in spelled(departing(piece(text)))] == [expected] * 5


@pytest.mark.parametrize("text", [text for text in TEXTS if secrets_in(text)])
def test_what_the_policy_allows_in_a_text_leaves_in_its_body(text: str) -> None:
    allowed = frozenset(fact.fingerprint for fact in secrets_in(text) if fact.fingerprint)
    watch = WATCH._replace(allowed=allowed)
    expected = Code.SECRET_DETECTED if secrets_in(text, allowed) else None
    assert [stopped(one, watch) for one in spelled(departing(piece(text)))] == [expected] * 5


def called(arguments: dict[str, str], *, as_object: bool) -> ClearedWire:
    """A request in which an earlier call of a tool stands, its arguments a text or, as some protocols have it, not."""
    written = json.dumps(arguments, separators=(",", ":"))
    call = piece(written, "tool_call")
    one = departing()
    parts = [*(message.parts for message in one.payload.request.messages), [Part(written, "item", 0)]]
    payload = ClearedPayload(one.payload.request, manifest_of([call], parts), (call,), (), seal=SEAL)
    body = json.loads(one.wire.body)
    function = {"name": "tool", "arguments": arguments if as_object else written}
    body["messages"].append({"role": "assistant", "tool_calls": [{"function": function}]})
    return replace(one, payload=payload, wire=replace(one.wire, body=json.dumps(body).encode()))


@pytest.mark.parametrize("as_object", [True, False])
@pytest.mark.parametrize("name", ["api_key", "access_token", "db_password", "clientSecret"])
def test_an_argument_that_is_a_secret_by_its_name_is_stopped(name: str, as_object: bool) -> None:
    watch = WATCH._replace(frames=FRAMES | {name, "note"})
    harmless = called({"note": 'a "quoted" word', name: "none"}, as_object=as_object)
    assert stopped(harmless, watch) is None
    one = called({"note": 'a "quoted" word', name: VALUE}, as_object=as_object)
    assert stopped(one, watch) is Code.SECRET_DETECTED
    (fact,) = secrets_in(json.dumps({name: VALUE}))
    assert fact.fingerprint is not None
    assert stopped(one, watch._replace(allowed=frozenset({fact.fingerprint}))) is None


def test_a_fingerprint_of_before_holds_for_a_body() -> None:
    """The value as it stands was hashed until escapes were undone first."""
    text = next(text for text in TEXTS if [fact.kind for fact in secrets_in(text)] == ["private_key"] and "\n" in text)
    ((_, start, end),) = placed_secrets(text)
    old = hashlib.sha256(f"private_key\0{text[start:end]}".encode()).hexdigest()[:16]
    watch = WATCH._replace(allowed=frozenset({f"private_key-{old}"}))
    assert [stopped(one) for one in spelled(departing(piece(text)))] == [Code.SECRET_DETECTED] * 5
    assert [stopped(one, watch) for one in spelled(departing(piece(text)))] == [None] * 5
