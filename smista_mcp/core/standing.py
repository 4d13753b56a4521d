"""What `providers` tells: every provider that there is, and whether it can serve."""

from smista_mcp.core.values import Layer, Locality, Value


class CooldownReport(Value):
    """Failures in a row on record, the newest of them last.

    Attributes:
        failures: how many.
        last_at: when the newest ended, UTC, ISO 8601.
        code: of the newest.
        rests_s: seconds for which a server that saw all of them still leaves the provider alone. Each server process
            counts for itself: 0 is no promise.
    """

    failures: int
    last_at: str
    code: str | None
    rests_s: float


class ProviderReport(Value):
    """One provider.

    Attributes:
        protocol: that it is spoken to in.
        builtin: whether it needs no declaration.
        layer: that declares it; `builtin` where none does.
        address: without anything secret; None for what runs as a child of ours.
        key_variable: that holds its key; None where it needs none. The key itself is nowhere here.
        key_present: whether that is set; None where it needs none.
        reachable: None where nobody asked.
        problem: why it cannot serve now; None where nothing is known against it.
        models: how many it has; None where it has no list, or was not asked.
        named_models: how many of its models the policy names; None where no route or class leads to it.
        version: of a CLI.
        cooldown: None where its newest attempt on record did not fail.
    """

    name: str
    protocol: str
    builtin: bool
    layer: Layer
    address: str | None
    locality: Locality
    key_variable: str | None
    key_present: bool | None
    reachable: bool | None
    problem: str | None
    models: int | None
    named_models: int | None
    version: str | None = None
    cooldown: CooldownReport | None = None
