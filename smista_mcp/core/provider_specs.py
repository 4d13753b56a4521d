"""Providers: those that are built in, and what the user's own file says of them and of others."""

import re
from collections.abc import Sequence

from smista_mcp.core.addresses import Address, parse_address
from smista_mcp.core.effective import ProviderSpec
from smista_mcp.core.modelref import BUILTIN_PROVIDERS, DECLARED_KINDS
from smista_mcp.core.policy import ProviderDocument
from smista_mcp.core.sources import BUILTIN, LayerDocument, Stated
from smista_mcp.core.values import Locality

_CUSTOMARY = {
    "anthropic": ("https://api.anthropic.com", "ANTHROPIC_API_KEY"),
    "openai": ("https://api.openai.com/v1", "OPENAI_API_KEY"),
    "gemini": ("https://generativelanguage.googleapis.com", "GEMINI_API_KEY"),
    "ollama": ("http://127.0.0.1:11434", None),
    "llamacpp": (None, None),
}
"""Address and variable of the key, as the vendors document them."""
_VENDOR_HOSTS = frozenset({"api.anthropic.com", "api.openai.com", "generativelanguage.googleapis.com", "ollama.com"})
_SECRET_NAME = re.compile(r"\$\{secret:(.+)\}")
_NOTHING_SAID = ProviderDocument()


def kind_of(name: str) -> str | None:
    """The protocol of a provider by its name; None where no provider can have that name."""
    if name in BUILTIN_PROVIDERS:
        return name
    kind, colon, rest = name.partition(":")
    return kind if colon and rest and kind in DECLARED_KINDS else None


def provider_specs(sources: Sequence[LayerDocument]) -> dict[str, Stated[ProviderSpec]]:
    """Every provider that can serve, by name. Only what the user's own file declares counts."""
    declared = {
        name: Stated(document, source.origin("providers", name))
        for source in sources
        if source.owner
        for name, document in source.document.providers.items()
    }
    found: dict[str, Stated[ProviderSpec]] = {}
    for name in (*BUILTIN_PROVIDERS, *sorted(declared.keys() - set(BUILTIN_PROVIDERS))):
        said = declared.get(name, Stated(_NOTHING_SAID, BUILTIN))
        spec = _spec(name, said.value)
        if spec is not None:
            found[name] = Stated(spec, said.origin)
    return found


def claims_vendor_is_local(document: ProviderDocument, address: Address | None) -> bool:
    """Whether `locality = "local"` stands beside the public address of a vendor."""
    return document.locality is Locality.LOCAL and address is not None and address.host in _VENDOR_HOSTS


def crosses_in_the_clear(spec: ProviderSpec) -> bool:
    """Whether a request to it would leave this machine unencrypted, without the user's leave."""
    address = parse_address(spec.base_url) if spec.base_url else None
    if address is None or address.scheme == "https" or address.loopback:
        return False
    return spec.locality is Locality.REMOTE


def _spec(name: str, document: ProviderDocument) -> ProviderSpec | None:
    kind = kind_of(name)
    customary_url, customary_key = _CUSTOMARY.get(name, (None, None))
    url = None if kind == "llamacpp" else document.base_url or customary_url
    if kind is None or (url is None and kind != "llamacpp"):
        return None
    key = _SECRET_NAME.fullmatch(document.api_key) if document.api_key else None
    variable = key[1] if key else customary_key
    return ProviderSpec(
        name=name,
        kind=kind,
        base_url=url,
        locality=_locality(kind, document, parse_address(url) if url else None),
        key_variable=variable,
        key_required=variable is not None,
        models_dir=document.models_dir,
    )


def _locality(kind: str, document: ProviderDocument, address: Address | None) -> Locality:
    """Remote, unless it is certain that the request stays where the user says."""
    if document.locality is Locality.REMOTE:
        return Locality.REMOTE
    if address is None:
        return Locality.LOCAL
    if kind == "ollama" and address.loopback:
        return Locality.LOCAL
    safe = address.loopback or address.scheme == "https" or document.allow_plain_lan
    claimed = document.locality is Locality.LOCAL and not claims_vendor_is_local(document, address)
    return Locality.LOCAL if claimed and safe else Locality.REMOTE
