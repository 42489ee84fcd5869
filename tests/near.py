"""Print the tests that a change is most likely to break, for `make check`: `python -m tests.near [COMMIT]`.

They are the tests of the conventions and the main job, those changed since COMMIT (the main branch, or HEAD), and those
that share a changed file's name or use what is in it.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
ALWAYS = ("conventions", "texts", "settings", "main_job", "upgrades")
LONG = {
    "bench",
    "browser",
    "crash",
    "demo_payment_page",
    "failover",
    "fresh",
    "network",
    "page",
    "page_bot",
    "screens",
    "workers",
}
MOST = 8  # files; the rest is for `make test`


def git(*arguments):
    """Return the lines git answers, none when it fails."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.splitlines() if done.returncode == 0 else []


def changed(since):
    """Return the files that differ from a commit, new ones too."""
    return git("diff", "--name-only", since) + git("ls-files", "--others", "--exclude-standard")


def base():
    """Return the commit a branch began at, or HEAD where there is no main branch."""
    return next(iter(git("merge-base", "HEAD", "origin/main") or git("merge-base", "HEAD", "main")), "HEAD")


def near(files):
    """Return the names of tests close to the changed files, the closest first."""
    stems = [Path(file).stem.removeprefix("test_") for file in files]
    tests = {path.stem.removeprefix("test_"): path.read_text() for path in sorted((ROOT / "tests").glob("test_*.py"))}
    own = [stem for stem in stems if stem in tests]
    modules = [Path(file).stem for file in files if file.endswith(".py") and not file.startswith("tests/")]
    users = [name for name, text in tests.items() if any(re.search(rf"import .*\b{one}\b", text) for one in modules)]
    found = [name for name in dict.fromkeys([*own, *users]) if name not in LONG]
    return list(dict.fromkeys([*ALWAYS, *found[:MOST]]))


def main():
    """Print the files' paths in one line."""
    since = sys.argv[1] if len(sys.argv) > 1 else base()
    sys.stdout.write(" ".join(f"tests/test_{name}.py" for name in near(changed(since))) + "\n")


if __name__ == "__main__":
    main()
