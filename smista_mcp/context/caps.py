"""How much of a workspace is looked at."""

from typing import NamedTuple


class Caps(NamedTuple):
    """The bounds of a collection.

    Attributes:
        file_bytes: of one file, and of a diff that is only helpful.
        total_bytes: of all files of a phase.
        directory_files: files that stand for one directory; `directory_bytes` likewise.
        diff_bytes: the most that is taken from `git diff`.
        compared_bytes: of a changed file, which is read to compare it with what git says of it.
        whole_bytes: of what changed files were before; a change of a further one cannot be judged.
        listed: names of one kind of thing left out, before only their number is given.
        mentions: paths in the words of a phase that are looked for; more are only judged by their names.
        walked: entries that are looked at where there is no git, and for the other names of a file.
        named: entries that are looked at for the restricted file that a name may mean; where there are more, a name of
            nothing at the root cannot be judged.
        git_s: seconds that git may take for one answer.
    """

    file_bytes: int = 1_000_000
    total_bytes: int = 4_000_000
    directory_files: int = 200
    directory_bytes: int = 2_000_000
    diff_bytes: int = 4_000_000
    compared_bytes: int = 32_000_000
    whole_bytes: int = 8_000_000
    listed: int = 20
    mentions: int = 300
    walked: int = 20_000
    named: int = 200_000
    git_s: float = 10.0
