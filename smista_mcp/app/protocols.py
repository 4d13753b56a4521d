"""Wire protocols of installed packages: loaded when a provider of user or organisation that speaks one is named."""

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from smista_mcp.app.enclosing import without_code
from smista_mcp.core.effective import Policy
from smista_mcp.core.findings import Finding, FindingCode
from smista_mcp.core.policy import dotted
from smista_mcp.errors import Code, ProviderError
from smista_mcp.loading.layers import Settings

if TYPE_CHECKING:
    from smista_mcp.providers.installed import Contracted

_MEND = "install or mend the package that offers it, or take the provider out"


class Protocols:
    """The protocols of one process, each loaded once: Python loads no module anew. Failures are looked at again."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known: dict[str, Contracted] = {}
        self._lock = threading.Lock()

    def unfit(self, name: str) -> str:
        """Why the protocol of that name cannot be spoken; empty where it can."""
        found = self._found(name)
        return found if isinstance(found, str) else ""

    def spoken(self, name: str) -> "Contracted":
        """The protocol of that name.

        Raises:
            ProviderError: it cannot be spoken; nothing was sent.
        """
        found = self._found(name)
        if isinstance(found, str):
            raise ProviderError(found, code=Code.PROVIDER_UNAVAILABLE, fix=_MEND)
        return found

    def faults(self, policy: Policy) -> Iterator[Finding]:
        """Providers of a policy whose protocol cannot be spoken; they are loaded for that, as for a decision."""
        for name, spec in policy.providers.items():
            why = self.unfit(spec.protocol) if spec.protocol else ""
            if why:
                origin = policy.provenance[dotted(("providers", name))]
                yield Finding(
                    code=FindingCode.PLUGIN_UNUSABLE,
                    at=dotted(("providers", name, "type")),
                    layer=origin.layer,
                    file=origin.file,
                    line=origin.lines.get(dotted(("providers", name, "type")), origin.line),
                    message=f"{why}, and `{name}` cannot be asked",
                    fix=_MEND,
                )

    def _found(self, name: str) -> "Contracted | str":
        with self._lock:
            if name not in self._known:
                found = self._loaded(name)
                if isinstance(found, str):
                    return found
                self._known[name] = found
            return self._known[name]

    def _loaded(self, name: str) -> "Contracted | str":
        from smista_mcp.loading.plugins import load_protocol, unheard  # noqa: PLC0415  few policies name one
        from smista_mcp.providers.installed import Unfit, contracted  # noqa: PLC0415

        loaded = load_protocol(name, without_code(self._settings.workspace, self._settings.enclosing))
        version = f" ({loaded.distribution} {loaded.version})" if loaded.version else ""
        shown = f"protocol `{name}`{version}"
        if loaded.failure:
            return f"{shown} {loaded.failure}"
        try:
            return contracted(loaded.found, f"{shown}, source {loaded.source[:16]}", unheard)
        except Unfit as unfit:
            return f"{shown} {unfit.what}"
