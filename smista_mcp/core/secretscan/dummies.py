"""Values that are made of words that say what they are: `secret-for-tests-only`, `test_key_123`, `supersecret`."""

from smista_mcp.core.secretscan.rules import Lazy

_PLAIN = frozenset(
    "a an the for do via non sk ant pk ghp my your our some any this that"
    " it is in of at on to be and or by as use used with without very long longer"
    " super top app api jwt hmac aes auth oauth user username admin root db database sql service server client web site"
    " session cookie signing sign encryption webhook access refresh bearer key keys token tokens secret secrets pass"
    " passwd password passphrase credential credentials private public value string phrase random default new old"
    " secure strong me main base secretkey apikey please here real id characters chars bytes bits least or more"
    " production prod env environment integration django flask rails laravel node next spring x super hash salt".split()
)
"""Words that say nothing about whether a value is in use."""

_TELLING = frozenset(
    "test tests testing tester dev develop development local localhost insecure unsafe unittest unit demo mock mocked"
    " stub fake dummy sample example placeholder change changeme replace replaced replaceme only not no never"
    " none real wrong invalid incorrect bad bogus nonexistent fixture fixtures ci e2e spec lorem ipsum foo bar baz qux"
    " todo tbd redacted masked hidden removed whatever something anything dont wont hello world"
    " supersecret mysecret thisis".split()
)
"""Words that say that it is not."""

_KNOWN = _PLAIN | _TELLING
_SIZES = {
    first: sorted({len(word) for word in _KNOWN if word[0] == first}, reverse=True)
    for first in {word[0] for word in _KNOWN}
}
"""How long the words are that begin with a letter."""
_ALONE = frozenset("password passwd pass secret token key apikey admin user".split())
_WORD = Lazy(r"[A-Za-z]{3}")
_LETTERS = Lazy(r"[a-z]{1,40}")
_DIGITS = Lazy(r"[0-9]{1,40}")
_LONGEST = 80
_ROWS = ("01234567890123456789", "98765432109876543210", "abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm")


def says_it_is_none(value: str) -> bool:
    """Whether nothing stands in a value but such words and digits that are counted, and one word that tells or two."""
    if len(value) > _LONGEST or not _WORD().search(value):
        return False
    low = value.lower().replace("e2e", "ci")
    count = 0
    telling = False
    runs = _LETTERS().findall(low)
    for run in runs:
        words = _words(run)
        if words is None:
            return False
        count += len(words)
        telling = telling or not _TELLING.isdisjoint(words)
    counted = all(len(run) <= 3 or any(run in row for row in _ROWS[:2]) for run in _DIGITS().findall(low))
    if not count:  # nothing but `abc123def456`
        return counted and len(runs) >= 3 and min(map(len, runs)) >= 2
    return counted and (telling or count >= 2 or low.rstrip("0123456789!") in _ALONE)


def _words(run: str) -> list[str] | None:
    """The known words that a run of letters is made of, the longest first; None where it is made of others."""
    found: list[str] = []
    at = 0
    while at < len(run):
        rest = run[at:]
        if len(rest) >= 2 and (rest in _ROWS[2] or rest in _ROWS[3]):
            return found
        size = next((size for size in _SIZES.get(rest[0], ()) if rest[:size] in _KNOWN), 0)
        if not size:
            return None
        found.append(rest[:size])
        at += size
    return found
