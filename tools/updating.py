"""`python bot.py update --check`: what a newer version brings and requires, before anything is changed.

It compares the checkout with the newest tag of its origin or, without tags, with the branch it follows. It only reads,
except for `git fetch`. `deploy/update.sh` does the update.
"""

import re
import subprocess
from pathlib import Path

from tools.database_commands import Failed

ROOT = Path(__file__).parent.parent
DECLARED = re.compile(r'(?:found\.declare|bot\.setting)\(\s*"([A-Z_]+)"')
VERSION = re.compile(r'^VERSION = "([^"]+)"', re.M)
SHOWN = 40  # lines of the changelog shown


def check(root, environ):
    """Yield what the newer version requires. Raise Failed if this is no checkout, or its origin is unreachable."""
    if not (root / ".git").exists():
        raise Failed("this is no git checkout (an image, perhaps): read CHANGELOG.md of the newer one")
    _git(root, "fetch", "--quiet", "--tags")
    there = _newest(root)
    count = int(_git(root, "rev-list", "--count", f"HEAD..{there}"))
    if not count:
        yield f"version {_version(root, 'HEAD')}: nothing newer at the origin"
        return
    yield f"version {_version(root, 'HEAD')} here, {_version(root, there)} there ({there}): {count} change{'s'[: count != 1]}"
    yield from _changelog(root, there)
    yield from _migrations(root, there)
    yield from _settings(root, there, environ)
    yield from _plugins(root, there, environ)
    if _git(root, "diff", "--name-only", "HEAD", there, "--", "requirements.txt"):
        yield "libraries: requirements.txt differs; the update installs them"
    if edited := _git(root, "status", "--porcelain", "--untracked-files=no").splitlines():
        yield f"files you have changed here, which the update will not touch but may stumble over: {', '.join(line[3:] for line in edited[:5])}"
    yield "nothing was changed. To update: sudo deploy/update.sh"


def _git(root, *arguments):
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, timeout=120)
    if "dubious ownership" in done.stderr:
        raise Failed(f"{root} belongs to somebody else, root perhaps: sudo .venv/bin/python bot.py update --check")
    if done.returncode:
        raise Failed(f"git {arguments[0]}: {done.stderr.strip() or 'failed'}")
    return done.stdout.strip()


def _newest(root):
    """Return what the update would take: the branch that is followed, or after a way back the origin's own; by its tag if it has one."""
    at = "@{upstream}" if _git(root, "rev-parse", "--abbrev-ref", "HEAD") != "HEAD" else "origin/HEAD"
    branch = _git(root, "rev-parse", "--abbrev-ref", "--symbolic-full-name", at)
    tags = _git(root, "tag", "--list", "v*", "--points-at", branch, "--sort=version:refname").splitlines()
    return tags[-1] if tags else branch


def _version(root, commit):
    found = VERSION.search(_git(root, "show", f"{commit}:bot.py"))
    return found[1] if found else "?"


def _changelog(root, there):
    here = set(_points(_git(root, "show", "HEAD:CHANGELOG.md")))
    new = [point for point in _points(_git(root, "show", f"{there}:CHANGELOG.md")) if point not in here]
    lines = [line for point in new for line in point.splitlines()]
    yield from (f"  {line}" for line in lines[:SHOWN])
    if len(lines) > SHOWN:
        yield f"  and {len(lines) - SHOWN} lines more in CHANGELOG.md"


def _points(changelog):
    """Return the headings and whole points of a changelog, each with all its lines."""
    return [point.rstrip() for point in re.split(r"^(?=- |#)", changelog, flags=re.M) if point.strip()]


def _names(root, commit, folder):
    return set(_git(root, "ls-tree", "-r", "--name-only", commit, "--", folder).splitlines())


def _migrations(root, there):
    new = sorted(_names(root, there, "storage/migrations") - _names(root, "HEAD", "storage/migrations"))
    steps = [Path(name).stem for name in new if Path(name).stem[:1].isdigit()]
    if steps:
        yield f"database: {', '.join(steps)}, applied by the first start; the way back then needs the backup"
    else:
        yield "database: the schema stays as it is, so the way back is free"


def _declared(root, commit):
    found = set()
    for name in {"bot.py"} | {name for name in _names(root, commit, "plugins") if name.endswith(".py")}:
        found |= set(DECLARED.findall(_git(root, "show", f"{commit}:{name}")))
    return found


def _settings(root, there, environ):
    here, new = _declared(root, "HEAD"), _declared(root, there)
    if more := sorted(new - here):
        yield f"settings: new are {', '.join(more)}"
    if gone := sorted(here - new):
        in_use = [name for name in gone if environ.get(name)]
        yield f"settings: gone are {', '.join(gone)}" + (f"; you have set {', '.join(in_use)}" if in_use else "")


def _plugins(root, there, environ):
    def of(commit):
        files = [name.removeprefix("plugins/") for name in _names(root, commit, "plugins")]
        return {name.removesuffix(".py") for name in files if name.endswith(".py") and Path(name).name[0] != "_"}

    here, new = of("HEAD"), of(there)
    if more := sorted(new - here):
        yield f"plugins: new are {', '.join(more)}; PLUGINS_OFF leaves one out"
    if gone := sorted(here - new):
        yield f"plugins: gone are {', '.join(gone)}"
    if environ.get("PLUGINS_DIR") and _git(
        root, "diff", "--name-only", "HEAD", there, "--", "docs/plugins-reference.md"
    ):
        yield "your own plugins: what they may call has changed (docs/plugins-reference.md); run their tests"
