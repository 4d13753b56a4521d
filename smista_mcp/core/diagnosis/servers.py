"""The providers that the policy names: whether they answer, have their key, and have the models that are meant."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from smista_mcp.core.diagnosis.marks import address, name, variable, words
from smista_mcp.core.diagnosis.remarks import Remark, fine, note, wrong
from smista_mcp.core.modelref import BUILTIN_PROVIDERS

_AREA = "providers"
_EMBEDDED = "llamacpp"
_OLLAMA = "ollama"


class ProviderSeen(NamedTuple):
    """A provider.

    Attributes:
        name: as the policy has it.
        declared: whether user or organisation declare it, so that they count on it.
        local: whether what it is sent stays on machines that the user says are his.
        address: where it is; None for what runs as a child of ours.
        key_variable: that holds its key; None where it needs none.
        key_there: whether that is set.
        reachable: None where nobody asked.
        detail: why it is not reachable.
        models: how many it has; None where it has no list.
        missing: why models that the policy names cannot be had there.
        version: of a CLI.
        listless: what it answered when it was asked for its models, where that was no list.
    """

    name: str
    declared: bool = False
    local: bool = False
    address: str | None = None
    key_variable: str | None = None
    key_there: bool = True
    reachable: bool | None = None
    detail: str = ""
    models: int | None = None
    missing: tuple[str, ...] = ()
    version: str | None = None
    listless: str = ""

    @property
    def usable(self) -> bool:
        """Whether nothing is known against it."""
        if self.listless and self.name == _OLLAMA:  # every Ollama has its list
            return False
        return self.key_there and self.reachable is not False and not (self.missing and self.models == 0)


class EmbeddedSeen(NamedTuple):
    """The model that runs inside smista.

    Attributes:
        runs: whether llama.cpp is installed.
        models: how many model files there are.
        named: whether the policy names one.
    """

    runs: bool
    models: int
    named: bool


def judge_providers(seen: Sequence[ProviderSeen], *, handoff: bool) -> Iterator[Remark]:
    """Every provider that the policy names.

    Args:
        seen: the providers.
        handoff: whether work goes back to the host where none can serve.
    """
    for one in seen:
        yield from _judge_key(one)
        if one.key_there or one.reachable is False:
            yield _judge_reach(one)
        yield from _judge_models(one)
    if not seen:
        yield note(_AREA, "none", "the policy names no provider", "name one in `[routing.default]`")
    elif not any(one.usable for one in seen):
        said = "no provider that the policy names can serve now"
        if handoff:
            yield note(_AREA, "none", f"{said}; the work goes back to the host", "mend one of them")
        else:
            yield wrong(_AREA, "none", said, "mend one of them, or name another in the policy")


def judge_embedded(seen: EmbeddedSeen) -> Remark:
    """The embedded model."""
    if seen.runs and seen.models:
        count = "one model file" if seen.models == 1 else f"{seen.models} model files"
        return fine(_AREA, "embedded", f"llama.cpp is installed, with {count}")
    lacks = "llama.cpp and a model file" if not (seen.runs or seen.models) else "a model file"
    if not seen.runs and seen.models:
        lacks = "llama.cpp"
    if not seen.named:
        return fine(_AREA, "embedded", f"no embedded model ({lacks} missing); the policy names none")
    steps = [] if seen.runs else ["`python3 -m pip install 'smista-mcp[local]'`"]
    steps += [] if seen.models else ["`smista-mcp local install`"]
    return note(_AREA, "embedded", f"the embedded model lacks {lacks}", f"run {' and '.join(steps)}")


def _judge_key(one: ProviderSeen) -> Iterator[Remark]:
    if one.key_variable is None:
        return
    key = variable(one.key_variable)
    if one.key_there:
        yield fine(_AREA, "key", f"{key} is set, for {_named(one.name)}")
        return
    said = f"{key} is not set, which {_named(one.name)} needs"
    yield _bad(one, "key", said, f"set {key}, and see that your host passes it on")


def _judge_reach(one: ProviderSeen) -> Remark:
    where = f" at {address(one.address)}" if one.address else ""
    if one.reachable is False:
        own = one.name in BUILTIN_PROVIDERS or one.name.startswith("openai-compat:")  # else others have their say
        said = f"{_named(one.name)}{where} cannot be used: {one.detail if own else words(one.detail)}"
        return _bad(one, "reach", said, _reach_fix(one))
    if one.listless:
        if one.name == _OLLAMA:
            said = f"what is{where} is no Ollama: it {one.listless}"
            return _bad(one, "reach", said, "start Ollama there, or mend its `base_url`")
        said = f"{_named(one.name)}{where} {one.listless}"
        return note(_AREA, "reach", said, "see that its `base_url` is right, and ends as its server wants it")
    version = f", version {one.version}" if one.version else ""
    if one.reachable is None:
        return fine(_AREA, "reach", f"{_named(one.name)}{where} was not asked")
    answers = f"{where} answers" if where else " is here"
    return fine(_AREA, "reach", f"{_named(one.name)}{answers}{version}")


def _reach_fix(one: ProviderSeen) -> str:
    if one.name.startswith("cli:"):
        return "install that CLI, or write its `command` in the policy"
    if one.name == _EMBEDDED:
        return "run `smista-mcp local install`"
    if one.local:
        return "start the server, or mend its `base_url`"
    return "look at the network, the proxy and the certificates of this machine, or mend its `base_url`"


def _judge_models(one: ProviderSeen) -> Iterator[Remark]:
    for refusal in one.missing:
        fix = "fetch it with `ollama pull`, or name another" if one.name == "ollama" else "name a model that it has"
        yield _bad(one, "model", f"{_named(one.name)}: {words(refusal)}", fix)


def _bad(one: ProviderSeen, check: str, said: str, fix: str) -> Remark:
    return wrong(_AREA, check, said, fix) if one.declared else note(_AREA, check, said, fix)


def _named(provider: str) -> str:
    kind, colon, rest = provider.partition(":")
    if provider in BUILTIN_PROVIDERS or kind == "cli" or not colon:
        return provider
    return f"{kind}:{name(rest)}"
