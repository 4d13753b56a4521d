"""Candidates that are always rejected: asked of `selection` itself, in the best of circumstances.

Every provider is up, the host is a local one if some host is, the task is as small as the rule lets it be. What is
rejected then for a reason that circumstances cannot change is rejected always.
"""

from functools import cached_property

from smista_mcp.core.catalog import Catalog
from smista_mcp.core.checking.conditions import unconditional
from smista_mcp.core.checking.localities import models_of
from smista_mcp.core.effective import Policy
from smista_mcp.core.facts import HostFacts, PhaseContext, ProviderFacts
from smista_mcp.core.floor import Floor
from smista_mcp.core.modelref import HOST, ModelRef
from smista_mcp.core.policy import DefaultRoute, Rule
from smista_mcp.core.selection import Ask, Market, select
from smista_mcp.core.values import Effort, Grant, Intent, Locality
from smista_mcp.errors import Code

_FINAL = (Code.MODEL_NOT_ALLOWED, Code.RESTRICTED_CONTENT, Code.MISSING_CAPABILITY, Code.CONTEXT_WINDOW_EXCEEDED)
_BY_NAME = (Code.MODEL_NOT_ALLOWED, Code.RESTRICTED_CONTENT)
"""Reasons that hold whatever a server says of its models."""
_ASKED_KINDS = ("ollama", "llamacpp", "openai-compat")
"""Kinds whose servers, once they answer, say what their models can."""


class Judge:
    """Judges the targets of routes under one policy."""

    def __init__(self, policy: Policy, catalog: Catalog) -> None:
        self.policy = policy
        self._catalog = catalog

    @cached_property
    def _market(self) -> Market:
        providers = {
            name: ProviderFacts(locality=spec.locality, reachable=True, assumed=True)
            for name, spec in self.policy.providers.items()
        }
        local = Locality.LOCAL in self.policy.host_localities.values()
        host = HostFacts(locality=Locality.LOCAL if local else Locality.REMOTE)
        return Market(self.policy, self._catalog, providers, host)

    def rejection(self, written: str, route: Rule | DefaultRoute) -> str | None:
        """Why a target of the route is always rejected, as what follows its name; None where it may serve.

        A class is rejected where all its models are; `class:local` stands for models that nobody knows yet.
        """
        models = list(models_of(written, self.policy))
        reasons: list[str] = []
        for model in models:
            reason = self._reason(model, route)
            if reason is None:
                return None
            reasons.append(reason if len(models) == 1 else f"{reason} (`{model}`)")
        return ", ".join(reasons) or None

    def _reason(self, model: ModelRef, route: Rule | DefaultRoute) -> str | None:
        selection = select(self._ask(model, route), self._market)
        if selection.accepted or not selection.rejected:
            return None
        code, detail = selection.rejected[0].code, selection.rejected[0].detail
        if code not in _FINAL or not self._settled(model, route, code):
            return None
        if code is Code.MISSING_CAPABILITY:
            return detail
        return "is rejected: " + ("a remote one may not serve here" if code is Code.RESTRICTED_CONTENT else detail)

    def _settled(self, model: ModelRef, route: Rule | DefaultRoute, code: Code) -> bool:
        """Whether nothing that a server may still say could change the verdict."""
        spec = self.policy.providers.get(model.provider)
        if model.provider == HOST or spec is None or spec.kind not in _ASKED_KINDS:
            return True
        if code not in _BY_NAME:
            return False
        if spec.kind != "ollama" or not self._may_be_listed(model, route):
            return True
        open_lists = self.policy._replace(allowed=())
        ask = self._ask(model, route)
        ask = ask._replace(floor=ask.floor._replace(only_models=()), capabilities={}, text_tokens=1)
        return not select(ask, self._market._replace(policy=open_lists)).accepted

    def _may_be_listed(self, model: ModelRef, route: Rule | DefaultRoute) -> bool:
        """Whether the name with a tag, which its server may add, could be on a list that the bare name is not on."""
        only = self._floor(route if isinstance(route, Rule) else None).only_models
        names = [str(one) for targets in only for target in targets for one in models_of(target, self.policy)]
        tagged = f"{model}:".casefold()
        for pattern in (*names, *(pattern for allowed in self.policy.allowed for pattern in allowed)):
            head, star, _ = pattern.casefold().partition("*")
            if head.startswith(tagged) or (star and tagged.startswith(head)):
                return True
        return False

    def _ask(self, model: ModelRef, route: Rule | DefaultRoute) -> Ask:
        rule = route if isinstance(route, Rule) else None
        return Ask(
            intent=rule.intent[0] if rule and rule.intent else Intent.EDIT,
            effort=route.effort or Effort.MEDIUM,
            written=(str(model),),
            capabilities=rule.requires_capabilities if rule else {},
            text_tokens=max((rule.min_context_tokens if rule else 0) or 0, 1),
            context=PhaseContext(),
            floor=self._floor(rule),
            cost_limit=None,
            budgets=(),
        )

    def _floor(self, rule: Rule | None) -> Floor:
        """The least that binds every task of the route: what it says itself, and what binds all tasks."""
        denied = self.policy.remote_mode is Grant.DENY
        binding = [placed.rule for placed in self.policy.bindings if unconditional(placed.rule)]
        binding += [rule] if rule else []
        reasons = ('the policy says `[privacy.remote] mode = "deny"`',) if denied else ()
        return Floor(
            local=denied or any(one.local_only for one in binding),
            remote_denied=denied,
            restricted=False,
            only_models=tuple(one.only_models for one in binding if one.only_models is not None),
            reasons=reasons,
            withheld={},
        )
