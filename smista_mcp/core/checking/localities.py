"""Where the candidates of a target are, as far as the policy alone tells."""

from collections.abc import Iterator

from smista_mcp.core.effective import Policy
from smista_mcp.core.livemodels import LiveAnswer, locality_of
from smista_mcp.core.modelref import HOST, ClassRef, ModelRef, parse_target
from smista_mcp.core.values import Locality


def remote(text: str, policy: Policy) -> bool:
    """Whether a target is remote for certain; a class is where all its models are."""
    models = list(models_of(text, policy))
    return bool(models) and all(_remote(model, policy) for model in models)


def some_remote(text: str, policy: Policy) -> bool:
    """Whether a target has a candidate that is remote for certain."""
    return any(_remote(model, policy) for model in models_of(text, policy))


def maybe_local(text: str, policy: Policy) -> bool:
    """Whether a target may have a candidate on this machine."""
    models = list(models_of(text, policy))
    return not models or any(not _remote(model, policy) for model in models)


def models_of(text: str, policy: Policy) -> Iterator[ModelRef]:
    """The models that a target names; those of `class:local` nobody knows before a server is asked."""
    target = parse_target(text)
    if isinstance(target, ModelRef):
        yield target
        return
    definition = policy.classes.get(target.name)
    for written in definition.models if definition else ():
        model = parse_target(written)
        if not isinstance(model, ClassRef):
            yield model


def _remote(target: ModelRef, policy: Policy) -> bool:
    if target.provider == HOST:
        return Locality.LOCAL not in policy.host_localities.values()
    spec = policy.providers.get(target.provider)
    if spec is None:
        return False
    return locality_of(target, spec.kind, LiveAnswer(target.model), spec.locality) is Locality.REMOTE
