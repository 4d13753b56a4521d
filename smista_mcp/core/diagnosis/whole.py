"""All remarks together: in order, counted, and masked where they go to somebody else."""

from collections.abc import Iterable

from smista_mcp.core.diagnosis.marks import Mask, shown
from smista_mcp.core.diagnosis.remarks import AREAS, Level, Remark
from smista_mcp.core.values import Value


class Diagnosis(Value):
    """What `doctor` found.

    Attributes:
        ok: whether nothing is wrong.
        redacted: whether what belongs to the machine and its user is masked.
        wrong: how many remarks say that something is wrong; `notes` how many things are worth a look.
        remarks: by area.
    """

    ok: bool
    version: str
    redacted: bool = False
    wrong: int
    notes: int
    remarks: tuple[Remark, ...]


def diagnosis(remarks: Iterable[Remark], version: str, mask: Mask, *, masked: bool) -> Diagnosis:
    """The remarks as they are shown.

    Args:
        remarks: with their marks.
        version: of smista.
        mask: what others may not see.
        masked: false where the owner of the machine reads it himself.
    """
    ordered = sorted(remarks, key=lambda one: AREAS.index(one.area))
    texts = [text for one in ordered for text in (one.text, one.fix)]
    plain = mask.masked(texts) if masked else tuple(shown(text, mask.home) for text in texts)
    pairs = zip(ordered, plain[::2], plain[1::2], strict=True)
    told = tuple(one.model_copy(update={"text": text, "fix": fix}) for one, text, fix in pairs)
    return Diagnosis(
        ok=not any(one.level is Level.WRONG for one in told),
        version=version,
        redacted=masked,
        wrong=sum(one.level is Level.WRONG for one in told),
        notes=sum(one.level is Level.NOTE for one in told),
        remarks=told,
    )
