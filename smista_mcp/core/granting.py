"""What a phase may do: the policy's grants, which a rule can only narrow."""

from smista_mcp.core.effective import Policy
from smista_mcp.core.policy import PERMISSIONS, Rule
from smista_mcp.core.values import Grant

_STRICTNESS = (Grant.ALLOW, Grant.ASK, Grant.DENY)


def permissions(policy: Policy, rule: Rule | None) -> dict[str, Grant]:
    """What the delegate and the host may do for this phase: the policy's grants, narrowed by the rule."""
    found: dict[str, Grant] = {}
    wanted = rule.required_permissions.permissions if rule else None
    for name in PERMISSIONS:
        grants = [policy.permissions[name]]
        asked: Grant | None = getattr(wanted, name) if wanted else None
        if asked is not None:
            grants.append(asked)
        found[name] = max(grants, key=_STRICTNESS.index)
    return found
