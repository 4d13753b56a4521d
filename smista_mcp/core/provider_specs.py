"""Providers: those that are built in, and what user and organisation say of them and of others."""

import re
from collections.abc import Sequence

from smista_mcp.core.addresses import Address, parse_address
from smista_mcp.core.effective import ProviderSpec
from smista_mcp.core.headless import CLI_KIND, HEADLESS
from smista_mcp.core.modelref import BUILTIN_PROVIDERS, DECLARED_KINDS, PROTOCOL_KIND
from smista_mcp.core.policy import ProviderDocument
from smista_mcp.core.sources import BUILTIN, LayerDocument, Stated
from smista_mcp.core.values import Layer, Locality
from smista_mcp.core.vendors import vendor_hosts, vendor_of

_CUSTOMARY = {
    "anthropic": ("https://api.anthropic.com", "ANTHROPIC_API_KEY"),
    "openai": ("https://api.openai.com/v1", "OPENAI_API_KEY"),
    "gemini": ("https://generativelanguage.googleapis.com", "GEMINI_API_KEY"),
    "ollama": ("http://127.0.0.1:11434", None),
    "llamacpp": (None, None),
}
"""Address and variable of the key, as the vendors document them."""
_VENDOR_HOSTS = vendor_hosts().union(
    ("api.anthropic.com", "api.openai.com", "generativelanguage.googleapis.com", "ollama.com")
)
OWN_TYPES = frozenset((*BUILTIN_PROVIDERS, *DECLARED_KINDS))
"""Names of protocols that are smista's own: no package can take their place."""
_SECRET_NAME = re.compile(r"\$\{secret:(.+)\}")
_PLACING = frozenset({"base_url", "api_key", "allow_plain_lan", "type", "command", "variables", "unmediated"})
_NOTHING_SAID = ProviderDocument.model_construct()


def kind_of(name: str) -> str | None:
    """The protocol of a provider by its name; None where no provider can have that name."""
    if name in BUILTIN_PROVIDERS:
        return name
    kind, colon, rest = name.partition(":")
    if kind == CLI_KIND:
        return kind if rest in HEADLESS else None
    return kind if colon and rest and kind in DECLARED_KINDS else None


def provider_specs(sources: Sequence[LayerDocument]) -> dict[str, Stated[ProviderSpec]]:
    """Every provider that can serve, by name. Only what user and organisation declare counts."""
    declared = {name for source in sources if source.owner for name in source.document.providers}
    found: dict[str, Stated[ProviderSpec]] = {}
    for name in (*BUILTIN_PROVIDERS, *sorted(declared - set(BUILTIN_PROVIDERS))):
        said = _declared(sources, name)
        spec = _spec(name, said.value)
        if spec is not None:
            found[name] = Stated(spec, said.origin)
    return found


def placing_layer(sources: Sequence[LayerDocument], name: str) -> LayerDocument | None:
    """The layer whose word holds on where a provider is, on its key, and on what may go there; None where none speaks.

    These belong together and come from one layer: a key is for the address that it was written beside, and so is the
    claim that an address is local.
    """
    speaking = [s for s in sources if s.owner and (said := s.document.providers.get(name)) and _places(said)]
    return speaking[-1] if speaking else None


def _places(document: ProviderDocument) -> bool:
    return bool(document.model_fields_set & _PLACING) or document.locality is Locality.LOCAL


def _declared(sources: Sequence[LayerDocument], name: str) -> Stated[ProviderDocument]:
    """What holds of a provider: remote where anyone with the right says so, even where he may only narrow."""
    origin, said = BUILTIN, _NOTHING_SAID
    placing = placing_layer(sources, name)
    folder: str | None = None
    remote = uncached = False
    for source in sources:
        document = source.document.providers.get(name)
        if document is None or not source.trusted or source.layer not in (Layer.USER, Layer.ORGANISATION):
            continue
        if source.owner:
            origin, folder = source.origin("providers", name), document.models_dir or folder
        remote = remote or document.locality is Locality.REMOTE
        uncached = uncached or document.prompt_caching is False
    if placing is not None:
        origin, said = placing.origin("providers", name), placing.document.providers[name]
    locality = Locality.REMOTE if remote else said.locality
    caching = False if uncached else said.prompt_caching
    if (folder, locality, caching) != (said.models_dir, said.locality, said.prompt_caching):
        said = said.model_copy(update={"models_dir": folder, "locality": locality, "prompt_caching": caching})
    return Stated(said, origin)


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
    if kind == CLI_KIND:
        return _cli_spec(name, document)
    customary_url, customary_key = _CUSTOMARY.get(name) or _of_vendor(name, document)
    url = None if kind == "llamacpp" else document.base_url or customary_url
    if kind is None or (url is None and kind != "llamacpp"):
        return None
    if kind == PROTOCOL_KIND and (document.type is None or document.type in OWN_TYPES):
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
        declared=document.locality is Locality.LOCAL,
        plain_lan=bool(document.allow_plain_lan),
        caches=document.prompt_caching is not False,
        protocol=document.type if kind == PROTOCOL_KIND else None,
    )


def _of_vendor(name: str, document: ProviderDocument) -> tuple[str | None, str | None]:
    """Customary address and key of a vendor; no key for an address of somebody's own, which it was not made for."""
    row = vendor_of(name)
    return row.base_url, None if document.base_url else row.key_variable


def _cli_spec(name: str, document: ProviderDocument) -> ProviderSpec | None:
    """A CLI is remote, whatever anyone says: where it sends what it is given is its own affair."""
    if document.type != CLI_KIND:
        return None
    return ProviderSpec(
        name=name,
        kind=CLI_KIND,
        base_url=None,
        locality=Locality.REMOTE,
        command=document.command,
        variables=document.variables,
        unmediated=document.unmediated,
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
