"""When a provider is asked to keep the beginning of a prompt in its cache.

What is kept is read later for a tenth of its price or less, and writing it may cost a quarter more. So it is asked for
only where a later request is expected to begin with the same, and nothing is asked for that nobody reads again:

- The model is one whose provider documents how it is asked (`cache` in families.json), and the policy does not say
  `prompt_caching = false` for it.
- A session: this model answered an earlier turn of it after the same instructions and with the same tools, which stand
  before all else, and not longer ago than its provider keeps what it has read. Kept is what comes first in every later
  request: our own text, the project's conventions, the files that an earlier turn was about already, and the turns,
  the oldest first. Where a turn no longer fits beside the rest, nothing is: from then on every request begins
  differently.
- The rounds of a model that looks around: whatever the request holds, up to its end.
- What would be kept has at least as many tokens as the provider keeps at all.

Elsewhere a provider that keeps prompts unasked, and charges for it, is told not to.
"""

from typing import Literal, NamedTuple

How = Literal["marks", "options", "key"]


class CacheFacts(NamedTuple):
    """How a provider is asked to keep a prompt of a model.

    Attributes:
        how: `marks`: only up to where a mark stands. `options`: unasked, unless it is told to go by marks alone.
            `key`: unasked and for nothing; a key helps to find it again.
        least: tokens below which nothing is kept.
        lasts_s: seconds for which it is kept at least, counted from its last use.
    """

    how: How
    least: int
    lasts_s: int

    @property
    def charged(self) -> bool:
        """Whether it is ours to say if anything is written that may be charged."""
        return self.how != "key"


class Outlook(NamedTuple):
    """What is expected to follow a request.

    Attributes:
        openings: with what requests of the session began that this model has answered of late, as `opening_of` has
            it: whoever began so before will soon do so again.
        key: by which a provider may find again what it keeps: it tells nothing, not even which session it is.
    """

    openings: frozenset[str] = frozenset()
    key: str | None = None


NO_OUTLOOK = Outlook()


class Keeping(NamedTuple):
    """What one request says of a cache.

    Attributes:
        grows: whether it is to be kept up to its end, because the next one goes on from there.
        key: as in `Outlook`; None where nothing is to be found again.
    """

    how: How
    grows: bool = False
    key: str | None = None
