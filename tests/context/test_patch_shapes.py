"""The shapes in which models write changes, and what they come to: the same file, or a reason and no patch."""

from pathlib import Path

import pytest
from patch_shop import Shop, patch_of, why

from smista_mcp.context.patches.answers import cut
from smista_mcp.context.patches.making import NO_CHANGE, NOTHING

OLD = """import os


def first():
    return 1


def second():
    return 2


def third():
    return 3
"""
NEW = OLD.replace("return 2", "return 22")
BODY = """@@ -8,2 +8,2 @@
 def second():
-    return 2
+    return 22
"""
GIT = "diff --git a/src/a.py b/src/a.py\nindex 1111111..2222222 100644\n"
TITLES = "--- a/src/a.py\n+++ b/src/a.py\n"
BEFORE = "Here is the change you asked for.\n\n"
BEHIND = "\nThis makes `second` return 22. Let me know!\n"
SEARCH = "<<<<<<< SEARCH\ndef second():\n    return 2\n=======\ndef second():\n    return 22\n>>>>>>> REPLACE\n"
LISTED = "*** Begin Patch\n*** Update File: src/a.py\n@@ def second():\n-    return 2\n+    return 22\n*** End Patch\n"

SHAPES = {
    "a fenced diff": f"```diff\n{TITLES}{BODY}```",
    "a fenced diff of git": f"```diff\n{GIT}{TITLES}{BODY}```",
    "prose around it": f"{BEFORE}```diff\n{TITLES}{BODY}```\n{BEHIND}",
    "another word behind the fence": f"```patch\n{TITLES}{BODY}```",
    "no word behind the fence": f"```\n{TITLES}{BODY}```",
    "tildes": f"~~~diff\n{TITLES}{BODY}~~~",
    "a bare diff": TITLES + BODY,
    "a bare diff of git": GIT + TITLES + BODY,
    "prose around a bare diff": f"{BEFORE}{TITLES}{BODY}{BEHIND}",
    "a bare diff and a list behind it": f"{TITLES}{BODY}\n- this is a point\n- and another\n",
    "no prefixes": f"```diff\n--- src/a.py\n+++ src/a.py\n{BODY}```",
    "a dot before the names": f"```diff\n--- ./src/a.py\n+++ ./src/a.py\n{BODY}```",
    "dates behind the names": f"--- src/a.py\t2024-01-01 10:00:00\n+++ src/a.py\t2024-01-02 10:00:00\n{BODY}",
    "other words than the old name": f"```diff\n--- a/src/a.py (original)\n+++ b/src/a.py (modified)\n{BODY}```",
    "an Index line": f"Index: src/a.py\n{'=' * 67}\n{TITLES}{BODY}",
    "a command above": f"diff -u a/src/a.py b/src/a.py\n{TITLES}{BODY}",
    "nothing but the header of git": f"```diff\n{GIT}{BODY}```",
    "wrong counts": f"```diff\n{TITLES}{BODY.replace('8,2 +8,2', '8,7 +8,9')}```",
    "wrong counts in a bare diff": f"{TITLES}{BODY.replace('8,2 +8,2', '8,7 +8,9')}{BEHIND}",
    "wrong lines": f"```diff\n{TITLES}{BODY.replace('8,2 +8,2', '80,2 +90,2')}```",
    "no figures": f"```diff\n{TITLES}{BODY.replace('@@ -8,2 +8,2 @@', '@@ ... @@')}```",
    "a bare mark": f"```diff\n{TITLES}{BODY.replace('@@ -8,2 +8,2 @@', '@@')}```",
    "no mark at all": f"```diff\n{TITLES}{BODY.removeprefix('@@ -8,2 +8,2 @@' + chr(10))}```",
    "a heading": f"```diff\n{TITLES}{BODY.replace('+8,2 @@', '+8,2 @@ def first():')}```",
    "a name before the fence": f"`src/a.py`:\n\n```diff\n{BODY}```",
    "no name, and one file": f"```diff\n{BODY}```",
    "no name and no fence word, and one file": f"```\n{BODY}```",
    "no marks before the lines around": f"```diff\n{TITLES}{BODY.replace(' def second', 'def second')}```",
    "blank lines without their mark": (
        f"```diff\n{TITLES}@@ -6,5 +6,5 @@\n\n\n def second():\n-    return 2\n+    return 22\n\n\n```"
    ),
    "a blank line before the end": f"```diff\n{TITLES}{BODY}\n```",
    "line ends of Windows": f"```diff\n{TITLES}{BODY}```".replace("\n", "\r\n"),
    "an indented fence": "1. Like this:\n\n"
    + "".join(f"   {line}\n" for line in f"```diff\n{TITLES}{BODY}```".split("\n")),
    "no closing fence": f"```diff\n{TITLES}{BODY}",
    "a mail's signature": f"{GIT}{TITLES}{BODY}-- \n2.39.5\n",
    "a longer fence": f"````diff\n{TITLES}{BODY}````",
    "an excerpt beside it": f"Now:\n```python\ndef second():\n    return 2\n```\nThen:\n```diff\n{TITLES}{BODY}```",
    "find and replace": f"src/a.py\n```python\n{SEARCH}```",
    "find and replace, the name inside": f"```\nsrc/a.py\n{SEARCH}```",
    "find and replace, bare": f"### src/a.py\n\n{SEARCH}",
    "find and replace, one file": SEARCH,
    "a listed patch": LISTED,
    "a fenced listed patch": f"```\n{LISTED}```",
    "a listed patch without its frame": "\n".join(LISTED.split("\n")[1:-2]),
    "the whole file, its name above": f"Here is `src/a.py`:\n\n```python\n{NEW}```",
    "the whole file, a bold name": f"**src/a.py**\n\n```python\n{NEW}```",
    "the whole file, a heading": f"### File: src/a.py\n\n```python\n{NEW}```",
    "the whole file, its name behind the fence": f"```python src/a.py\n{NEW}```",
    "the whole file, its name in a title": f'```python title="src/a.py"\n{NEW}```',
    "the whole file, its name in a comment": f"```python\n# src/a.py\n{NEW}```",
    "the whole file, and nothing said": f"```python\n{NEW}```",
}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path)
    shop.write("src/a.py", OLD)
    shop.write("b.txt", "one\ntwo\nthree\n")
    return shop.repository()


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_comes_to_the_same_patch(shop: Shop, shape: str) -> None:
    made = patch_of(shop.made(SHAPES[shape], single="src/a.py"))
    assert made.by_git
    assert made.after == {"src/a.py": NEW}
    assert made.patch.startswith("diff --git a/src/a.py b/src/a.py\n--- a/src/a.py\n+++ b/src/a.py\n@@ -6,7 +6,7 @@\n")
    assert "return 22" not in made.words.replace("return 22.", "")
    shop.apply(made.patch)
    assert (shop.root / "src/a.py").read_text() == NEW


def test_words_stay_and_the_change_is_cut_out() -> None:
    assert cut(SHAPES["prose around it"]).words == f"{BEFORE}{BEHIND}".strip().replace("\n\n\n", "\n\n")
    assert cut(SHAPES["prose around a bare diff"]).words == f"{BEFORE}{BEHIND}".strip().replace("\n\n\n", "\n\n")
    assert cut(SHAPES["a fenced diff"]).words == ""
    assert cut(SHAPES["an excerpt beside it"]).words == "Now:\n```python\ndef second():\n    return 2\n```\nThen:"


SEVERAL = {
    "two files in one fence": f"```diff\n{TITLES}{BODY}--- a/b.txt\n+++ b/b.txt\n@@ -2 +2 @@\n-two\n+2\n```",
    "two fences": f"```diff\n{TITLES}{BODY}```\nand\n```diff\n--- a/b.txt\n+++ b/b.txt\n@@\n-two\n+2\n```",
    "two files bare": f"{TITLES}{BODY}\n--- a/b.txt\n+++ b/b.txt\n@@ -9 +9 @@\n-two\n+2\n",
    "a diff and a search": f"```diff\n{TITLES}{BODY}```\nb.txt\n<<<<<<< SEARCH\ntwo\n=======\n2\n>>>>>>> REPLACE\n",
    "a listed patch": LISTED.replace("*** End Patch", "*** Update File: b.txt\n one\n-two\n+2\n*** End Patch"),
    "whole files": f"src/a.py:\n```\n{NEW}```\nb.txt:\n```\none\n2\nthree\n```",
}


@pytest.mark.parametrize("shape", SEVERAL)
def test_several_files_are_one_patch(shop: Shop, shape: str) -> None:
    made = patch_of(shop.made(SEVERAL[shape]))
    assert made.after == {"src/a.py": NEW, "b.txt": "one\n2\nthree\n"}
    shop.apply(made.patch)
    assert shop.files() == made.after


def test_two_changes_of_one_file_build_on_each_other(shop: Shop) -> None:
    second = f"```diff\n{TITLES}@@ -8,2 +8,3 @@\n def second():\n     return 22\n+    # ever\n```"
    made = patch_of(shop.made(f"```diff\n{TITLES}{BODY}```\n{second}"))
    assert made.after == {"src/a.py": NEW.replace("return 22\n", "return 22\n    # ever\n")}
    assert made.patch.count("diff --git") == 1
    shop.apply(made.patch)


def created(head: str) -> str:
    return f"```diff\n{head}@@ -0,0 +1,2 @@\n+x = 1\n+y = 2\n```"


NEWS = {
    "from nowhere": created("--- /dev/null\n+++ b/src/new.py\n"),
    "with the header of git": created(
        "diff --git a/src/new.py b/src/new.py\nnew file mode 100644\n--- /dev/null\n+++ b/src/new.py\n"
    ),
    "with both names": created("--- a/src/new.py\n+++ b/src/new.py\n"),
    "without a prefix": created("--- /dev/null\n+++ src/new.py\n"),
    "listed": "*** Begin Patch\n*** Add File: src/new.py\n+x = 1\n+y = 2\n*** End Patch",
    "searched for nothing": "src/new.py\n```\n<<<<<<< SEARCH\n=======\nx = 1\ny = 2\n>>>>>>> REPLACE\n```",
    "whole": "**src/new.py**\n```python\nx = 1\ny = 2\n```",
    "whole beside a diff of another file": None,
}


@pytest.mark.parametrize("shape", NEWS)
def test_new_files(shop: Shop, shape: str) -> None:
    answer = NEWS[shape] or f"```diff\n{TITLES}{BODY}```\nsrc/new.py:\n```python\nx = 1\ny = 2\n```"
    made = patch_of(shop.made(answer))
    assert made.after["src/new.py"] == "x = 1\ny = 2\n"
    assert "new file mode 100644\n--- /dev/null\n+++ b/src/new.py\n@@ -0,0 +1,2 @@\n" in made.patch
    shop.apply(made.patch)
    assert shop.files() == {"src/a.py": OLD, "b.txt": "one\ntwo\nthree\n", **made.after}


DELETED = {
    "whole": "--- a/b.txt\n+++ /dev/null\n@@ -1,9 +0,0 @@\n-one\n-two\n-three\n",
    "in the words of git alone": "diff --git a/b.txt b/b.txt\ndeleted file mode 100644\n",
    "listed": "*** Begin Patch\n*** Delete File: b.txt\n*** End Patch\n",
}


@pytest.mark.parametrize("shape", DELETED)
def test_deleted_files(shop: Shop, shape: str) -> None:
    made = patch_of(shop.made(DELETED[shape]))
    assert made.after == {"b.txt": None}
    shop.apply(made.patch)
    assert shop.files() == {"src/a.py": OLD}


RENAMED = {
    "alone": "diff --git a/b.txt b/c d.txt\nsimilarity index 100%\nrename from b.txt\nrename to c d.txt\n",
    "with a change": (
        "diff --git a/b.txt b/c d.txt\nsimilarity index 90%\nrename from b.txt\nrename to c d.txt\n"
        "--- a/b.txt\n+++ b/c d.txt\n@@ -5,3 +5,3 @@\n one\n-two\n+2\n three\n"
    ),
    "by its titles": "--- a/b.txt\n+++ b/c d.txt\n@@ -5,3 +5,3 @@\n one\n-two\n+2\n three\n",
    "listed": "*** Begin Patch\n*** Update File: b.txt\n*** Move to: c d.txt\n one\n-two\n+2\n three\n*** End Patch\n",
}


@pytest.mark.parametrize("shape", RENAMED)
def test_renamed_files(shop: Shop, shape: str) -> None:
    made = patch_of(shop.made(RENAMED[shape]))
    text = "one\ntwo\nthree\n" if shape == "alone" else "one\n2\nthree\n"
    assert made.after == {"b.txt": None, "c d.txt": text}
    assert "rename from b.txt\nrename to c d.txt\n" in made.patch
    shop.apply(made.patch)
    assert shop.files() == {"src/a.py": OLD, "c d.txt": text}


@pytest.mark.parametrize(
    "name", ["größe.txt", "two words.txt", 'quo"te.txt', "b/in.txt", "-dash.txt", "[1].txt", ":x.txt"]
)
def test_odd_names(shop: Shop, name: str) -> None:
    shop.write(name, "one\ntwo\n")
    titled = name if '"' not in name else name.replace('"', '\\"')
    quotes = '"' if '"' in name else ""
    answer = f"--- {quotes}a/{titled}{quotes}\n+++ {quotes}b/{titled}{quotes}\n@@ -1 +1 @@\n-one\n+1\n"
    made = patch_of(shop.made(answer))
    shop.apply(made.patch)
    assert (shop.root / name).read_text() == "1\ntwo\n"


ENDS = [
    ("one\r\ntwo\r\n", "-two\n+2\n", "one\r\n2\r\n"),
    ("one\ntwo", "-two\n+2\n", "one\n2"),
    ("one\ntwo", "-two\n\\ No newline at end of file\n+2\n", "one\n2\n"),
    ("one\ntwo\n", "-two\n+2\n\\ No newline at end of file\n", "one\n2"),
    ("one\ntwo", " two\n+three\n", "one\ntwo\nthree"),
    ("one\r\ntwo", " one\n+x\n two\n", "one\r\nx\r\ntwo"),
    ("one\r\ntwo\nthree\r\n", " two\n+x\n", "one\r\ntwo\nx\r\nthree\r\n"),
    ("", "+one\n", "one\n"),
]


@pytest.mark.parametrize(("old", "body", "new"), ENDS)
def test_line_ends_and_a_missing_last_one_are_kept(shop: Shop, old: str, body: str, new: str) -> None:
    shop.write("b.txt", old)
    made = patch_of(shop.made(f"```diff\n--- a/b.txt\n+++ b/b.txt\n@@ -1,1 +1,1 @@\n{body}```"))
    assert made.after == {"b.txt": new}
    shop.apply(made.patch)
    assert (shop.root / "b.txt").read_bytes().decode() == new


# ---------------------------------------------------------------------------------------------------- no patch of it

REPEATED = "x\ny\n" * 3
DOUBTFUL = {
    "words": "I would change `second` to return 22.",
    "a question": "Which function do you mean?",
    "a snippet": "src/a.py:\n```python\ndef second():\n    return 22\n```",
    "a snippet of an end": f"src/a.py:\n```python\n{NEW[NEW.index('def second') :]}```",
    "a snippet of the beginning": f"src/a.py:\n```python\n{NEW[: NEW.index('def third')]}```",
    "what is left out": f"src/a.py:\n```python\n{NEW.replace('def third', '# ... rest of the code ...')}```",
    "a file that broke off": f"src/a.py:\n```python\n{NEW}",
    "a search that broke off": "src/a.py\n<<<<<<< SEARCH\ndef second():\n=======\ndef",
    "a search that fits twice": "r.txt\n<<<<<<< SEARCH\nx\n=======\nz\n>>>>>>> REPLACE\n",
    "a search that fits nowhere": "r.txt\n<<<<<<< SEARCH\nq\n=======\nz\n>>>>>>> REPLACE\n",
    "a hunk that fits twice": "--- a/r.txt\n+++ b/r.txt\n@@\n-y\n+z\n",
    "a hunk without a line of the file": "--- a/r.txt\n+++ b/r.txt\n@@ -3,0 +4 @@\n+z\n",
    "lines that are not there": f"```diff\n{TITLES}{BODY.replace('return 2', 'return 7')}```",
    "context that is nearly there": f"```diff\n{TITLES}{BODY.replace('second():', 'second() :')}```",
    "no name, and many files": f"```diff\n{BODY}```",
    "a file that is not there": f"--- a/src/z.py\n+++ b/src/z.py\n{BODY}",
    "a new file that is there": created("--- /dev/null\n+++ b/b.txt\n"),
    "a deletion that leaves lines": "--- a/b.txt\n+++ /dev/null\n@@ -1 +0,0 @@\n-one\n",
    "nothing": "--- a/b.txt\n+++ b/b.txt\n@@ -1,2 +1,2 @@\n one\n-two\n+two\n",
    "a copy": "diff --git a/b.txt b/c.txt\nsimilarity index 100%\ncopy from b.txt\ncopy to c.txt\n",
}


@pytest.mark.parametrize("shape", DOUBTFUL)
def test_what_is_not_clear_is_no_patch(shop: Shop, shape: str) -> None:
    shop.write("r.txt", REPEATED)
    before = shop.state()
    told = why(shop.made(DOUBTFUL[shape]))
    assert (told == NO_CHANGE) == (shape in ("words", "a question"))
    assert (told == NOTHING) == (shape == "nothing")
    assert shop.state() == before


def test_a_whole_file_is_taken_only_of_a_model_that_has_seen_it_as_it_is(shop: Shop) -> None:
    answer = f"src/a.py:\n```python\n{NEW}```"
    patch_of(shop.made(answer, shown=[f"src/a.py, from line 1 of 12:\n{OLD}"]))
    why(shop.made(answer, shown=[]))
    why(shop.made(answer, shown=[OLD.replace("import os", "import sys")]))


def test_a_markdown_file_with_fences_in_it_is_taken_whole(shop: Shop) -> None:
    old = "# Use\n\n```bash\nrun it\n```\n\nThat is all.\n"
    shop.write("README.md", old)
    new = old.replace("run it", "run it --fast")
    made = patch_of(shop.made(f"README.md:\n```markdown\n{new}```\nDone.", shown=[old]))
    assert (made.after, made.words) == ({"README.md": new}, "README.md:\n\nDone.")
    hunk = "@@ -3,3 +3,3 @@\n ```bash\n-run it\n+run it --fast\n ```\n"
    made = patch_of(shop.made(f"```diff\n--- a/README.md\n+++ b/README.md\n{hunk}```"))
    assert made.after == {"README.md": new}


def test_the_header_says_which_of_several_places_is_meant(shop: Shop) -> None:
    shop.write("r.txt", REPEATED)
    for line, new in ((2, "x\nz\nx\ny\nx\ny\n"), (6, "x\ny\nx\ny\nx\nz\n")):
        made = patch_of(shop.made(f"--- a/r.txt\n+++ b/r.txt\n@@ -{line},9 +{line},1 @@\n-y\n+z\n"))
        assert made.after == {"r.txt": new}


def test_a_later_patch_builds_on_the_ones_before(shop: Shop) -> None:
    first = patch_of(shop.made(f"```diff\n{TITLES}{BODY}```"))
    other = patch_of(shop.made(created("--- /dev/null\n+++ b/src/new.py\n")))
    body = "@@\n def second():\n-    return 22\n+    return 23\n"
    answer = f"```diff\n{TITLES}{body}--- a/src/new.py\n+++ b/src/new.py\n@@ -1 +1 @@\n-x = 1\n+x = 9\n```"
    assert why(shop.made(answer))
    third = patch_of(shop.made(answer, earlier=(first, other)))
    assert third.by_git
    for made in (first, other, third):
        shop.apply(made.patch)
    assert (shop.root / "src/a.py").read_text() == OLD.replace("return 2", "return 23")
    assert (shop.root / "src/new.py").read_text() == "x = 9\ny = 2\n"


@pytest.mark.parametrize("names", ["a/src/a.py b/src/a.py", "a/pack/src/a.py b/pack/src/a.py"])
def test_below_the_top_of_a_repository_names_begin_at_the_top(tmp_path: Path, names: str) -> None:
    top = Shop(tmp_path)
    top.write("pack/src/a.py", OLD)
    top.repository()
    old, new = names.split()
    made = patch_of(Shop(tmp_path / "pack").made(f"--- {old}\n+++ {new}\n{BODY}"))
    assert made.after == {"src/a.py": NEW}
    assert made.patch.startswith("diff --git a/pack/src/a.py b/pack/src/a.py\n")
    top.apply(made.patch, at="pack")
    assert (tmp_path / "pack/src/a.py").read_text() == NEW


@pytest.mark.parametrize("has_git", [True, False])
def test_without_a_repository(tmp_path: Path, has_git: bool) -> None:
    shop = Shop(tmp_path, environ=None if has_git else {"PATH": ""})  # pyright: ignore[reportArgumentType]
    shop.write("src/a.py", OLD)
    shop.write(".gitignore", "*.log\n")
    shop.write("x.log", "a\n")
    made = patch_of(shop.made(f"```diff\n{TITLES}{BODY}```"))
    assert made.by_git is has_git
    assert why(shop.made("--- a/x.log\n+++ b/x.log\n@@ -1 +1 @@\n-a\n+b\n"))
    shop.apply(made.patch)
    assert (shop.root / "src/a.py").read_text() == NEW
