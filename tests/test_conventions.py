"""House rules, checked by reading the code: imports, sizes, docstrings, what may be in the repository."""

import ast
import functools
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit import ROOT
from tests.process import environment

PACKAGES = ("core", "plugins", "kie", "storage", "demo", "tools")
FILES = [ROOT / "bot.py", *(path for name in PACKAGES for path in sorted((ROOT / name).rglob("*.py")))]
SERVICES = ROOT / "core" / "services"
CORE = [
    path
    for path in FILES
    if path == ROOT / "bot.py" or (path.is_relative_to(ROOT / "core") and not path.is_relative_to(SERVICES))
]
IN_PLUGINS = [path for path in sorted((ROOT / "plugins").rglob("*.py")) if path.name != "__init__.py"]
PLUGINS = [path for path in IN_PLUGINS if path.stem[0] != "_"]
CORE_LINES = 4250  # of code in bot.py and core/ (its services apart): without blank lines, comments and docstrings
FUNCTION_LINES = 60
CALLED_BY_PLUGINS = [
    *(ROOT / "core").glob("*.py"),
    *SERVICES.glob("*.py"),
    ROOT / "core" / "handling" / "rights.py",
    ROOT / "core" / "process" / "loops.py",
    ROOT / "core" / "telegram" / "sender.py",
    *(ROOT / "kie" / "catalogue" / name for name in ("inputs.py", "model.py")),
]

# docs/architecture.md: who imports whom. What is not named here stays out of the package.
MAY = {
    "plugins": {"core", "kie", "plugins"},
    "core": {"core", "storage", "kie", "telebot"},
    "kie": {"kie"},
    "storage": {"storage", "peewee", "playhouse"},
    "demo": {"demo"},
    "tools": {"tools", "core", "storage", "kie"},
}
NEVER = {
    "plugins": {"requests", "peewee", "playhouse", "telebot", "sqlite3", "psycopg", "storage", "demo", "tools"},
    "kie": {"storage", "core", "telebot", "plugins", "peewee", "demo", "tools"},
    "storage": {"core", "kie", "plugins", "telebot", "requests", "demo", "tools"},
    "core": {"plugins", "demo", "peewee", "tools"},
    "demo": {"core", "plugins", "storage", "bot", "tools"},
    "tools": {"plugins", "demo", "peewee", "telebot"},
}


@functools.cache
def tree(path):
    """Return a file's syntax tree."""
    return ast.parse(path.read_text())


def name_of(path):
    """Return a file's module name."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path, top_level=False):
    """Return the modules a file imports, `from x import y` as x.y; `top_level`: those of importing the file itself."""
    nodes = _outside_functions(tree(path)) if top_level else ast.walk(tree(path))
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def _outside_functions(module):
    waiting = list(module.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)


def roots(path):
    """Return the packages a file imports from."""
    return {name.split(".")[0] for name in imports(path)}


def definitions(path):
    """Return the functions and classes of a file."""
    return [node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef | ast.ClassDef)]


@pytest.mark.parametrize("package", NEVER)
def test_the_floors_of_the_house_are_kept(package):
    for path in (ROOT / package).rglob("*.py"):
        wrong = roots(path) & NEVER[package] - ({"core"} if _is_the_contributors_tool(path) else set())
        assert not wrong, f"{path.relative_to(ROOT)} imports {wrong}"


def _is_the_contributors_tool(path):
    """Tell whether a demo file reloads plugins for a contributor: the one part of it that knows the bot."""
    return path.name in ("backstage.py", "reload.py", "scaffold.py") and path.parent.name == "demo"


def test_only_the_first_page_knows_every_floor():
    for path in FILES:
        assert path.name == "bot.py" and path.parent == ROOT or "bot" not in roots(path), path


def test_a_plugin_imports_no_other_plugin_but_what_its_folder_shares():
    for path in IN_PLUGINS:
        shared = f"plugins.{path.parent.name}._"
        wrong = [name for name in imports(path) if name.startswith("plugins") and not name.startswith(shared)]
        assert not wrong, (path.name, wrong)


def test_no_file_imports_in_a_circle():
    files = [*FILES, *sorted((ROOT / "bench").rglob("*.py"))]
    graph = {name_of(path): imports(path, top_level=True) for path in files}
    edges = {
        module: {
            target
            for name in names
            for target in (name, name.rpartition(".")[0])
            if target in graph and target != module
        }
        for module, names in graph.items()
    }
    left = dict(edges)
    while leaves := [module for module, targets in left.items() if not targets & set(left)]:
        for module in leaves:
            del left[module]
    assert not left, f"these import one another: {sorted(left)}"


def test_importing_the_bot_is_quick_and_touches_nothing(tmp_path):
    script = (
        "import socket, sqlite3, time, sys, threading\n"
        "def refuse(*a, **k): raise AssertionError('an import opened something')\n"
        "socket.socket.connect = socket.create_connection = sqlite3.connect = refuse\n"
        "started = time.process_time()\n"
        "import bot\n"
        "for name in sys.argv[1:]: __import__(name)\n"
        "assert threading.active_count() == 1, threading.enumerate()\n"
        "heavy = {'matplotlib', 'aiohttp', 'flask', 'pi_heif', 'pymediainfo', 'demo.server', 'kie.stub.server'} & set(sys.modules)\n"
        "print(time.process_time() - started, sorted(heavy))\n"
    )
    names = [name_of(path) for path in PLUGINS]
    done = subprocess.run(
        [sys.executable, "-c", script, *names], cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    seconds, _, heavy = done.stdout.strip().partition(" ")
    assert heavy == "[]", f"imported at start, not on use: {heavy}"
    assert float(seconds) < 3, "the libraries take most of a second; ours must add next to nothing"


def test_importing_a_plugin_does_nothing():
    for path in PLUGINS:
        for node in tree(path).body:
            allowed = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)
            assert isinstance(node, allowed) or _is_docstring(node), (
                f"{path.name}:{node.lineno} does something on import"
            )


def _is_docstring(node):
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def test_every_plugin_registers_and_says_what_it_does():
    for path in PLUGINS:
        names = [node.name for node in tree(path).body if isinstance(node, ast.FunctionDef)]
        assert "register" in names, path.name
        assert names[0] == "register", f"{path.name}: register is the table of contents and comes first"
        assert len(ast.get_docstring(tree(path)) or "") > 40, f"{path.name} does not say what it does"


def test_a_plugin_names_its_settings_in_its_docstring():
    for path in PLUGINS:
        named = re.findall(r'bot\.setting\(\s*"([A-Z_]+)"', path.read_text())
        doc = ast.get_docstring(tree(path))
        assert not [name for name in named if name not in doc], path.name


def test_modules_public_functions_and_what_plugins_call_have_a_docstring():
    bare = []
    for path in FILES:
        if not ast.get_docstring(tree(path)):
            bare.append(str(path.relative_to(ROOT)))
        hidden = _nested_lines(path)
        wanted = definitions(path) if path in CALLED_BY_PLUGINS else tree(path).body
        bare += [
            f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
            for node in wanted
            if isinstance(node, ast.FunctionDef | ast.ClassDef)
            and not node.name.startswith("_")
            and node.name != "Meta"
            and node.lineno not in hidden
            and not ast.get_docstring(node)
        ]
    assert not bare


def _nested_lines(path):
    """Return the lines at which something inside a function, or in a class of the file's own, begins."""
    outer = [node for node in definitions(path) if isinstance(node, ast.FunctionDef) or node.name.startswith("_")]
    return {
        inner.lineno
        for node in outer
        for inner in ast.walk(node)
        if inner is not node and isinstance(inner, ast.FunctionDef | ast.ClassDef)
    }


def test_the_first_line_of_a_docstring_is_a_sentence():
    for path in FILES:
        for node in definitions(path):
            if doc := ast.get_docstring(node):
                first = doc.splitlines()[0]
                assert first.endswith((".", ":", "?", "…")), f"{path.relative_to(ROOT)}:{node.lineno} {first!r}"


def test_functions_stay_short():
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name} has {node.end_lineno - node.lineno + 1} lines"
        for path in FILES
        for node in definitions(path)
        if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno + 1 > FUNCTION_LINES
    ]
    assert not long


def test_the_core_stays_small():
    assert sum(map(lines_of_code, CORE)) < CORE_LINES, {path.name: lines_of_code(path) for path in CORE}


def lines_of_code(path):
    """Return how many lines of a file hold code: no blank ones, no comments, no docstrings."""
    text = path.read_text()
    docs = {
        number
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node)
        for number in range(node.body[0].lineno, node.body[0].end_lineno + 1)
    }
    return sum(
        1
        for number, line in enumerate(text.splitlines(), start=1)
        if number not in docs and line.strip() and not line.strip().startswith("#")
    )


def test_a_core_module_that_one_plugin_alone_uses_lives_in_that_plugin():
    used = {other: {n for one in imports(other) for n in (one, one.rpartition(".")[0])} for other in FILES}
    for path in CORE:
        users = [other for other in FILES if name_of(path) in used[other]]
        only = [other for other in users if other in PLUGINS]
        assert len(only) != 1 or len(users) > 1, f"{name_of(path)} is used by {only[0].name} alone"


def test_no_broad_except_hides_a_reason():
    for path in FILES:
        lines = path.read_text().splitlines()
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ExceptHandler):
                broad = (
                    node.type is None
                    or isinstance(node.type, ast.Name)
                    and node.type.id in ("Exception", "BaseException")
                )
                line = lines[node.lineno - 1]
                reraises = any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
                assert not broad or "#" in line or reraises, (
                    f"{path.relative_to(ROOT)}:{node.lineno} says not why it is broad"
                )


def test_no_control_flow_catches_an_integrity_error():
    for path in FILES:
        caught = [node.type for node in ast.walk(tree(path)) if isinstance(node, ast.ExceptHandler) and node.type]
        assert not [one for one in caught if "IntegrityError" in ast.unparse(one)], path


def test_threads_and_connections_are_named_and_bounded_in_time():
    for path in FILES:
        for node in ast.walk(tree(path)):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and getattr(node.func.value, "id", "") == "requests"
            ):
                if node.func.attr in ("get", "post", "request", "put", "head"):
                    assert any(keyword.arg == "timeout" for keyword in node.keywords), (
                        f"{path}:{node.lineno} has no timeout"
                    )


def tracked():
    """Return the files of the repository."""
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("no repository here")
    return [ROOT / name for name in done.stdout.splitlines() if (ROOT / name).is_file()]


def is_kept_schema(path):
    """Tell whether a file is a released schema with invented people (`tests/kept.py`)."""
    return path.parent == ROOT / "tests" / "data" and re.fullmatch(r"schema-\d{4}\.db", path.name)


def test_no_data_of_anybody_is_in_the_repository():
    wrong = [
        path
        for path in tracked()
        if (path.suffix in (".db", ".sqlite", ".sqlite3", ".log", ".pem", ".key") and not is_kept_schema(path))
        or path.name in (".env", "chat.json")
        or "var" in path.relative_to(ROOT).parts
    ]
    assert not wrong
    ignored = (ROOT / ".gitignore").read_text().split()
    assert {"var/", ".env", ".venv"} <= set(ignored) and any(line.startswith("*.db") for line in ignored)


PLACES = re.compile(r"(?<![\w./])/(?:home|root|Users|work|mnt)/[\w.-]+")
REGISTRIES = re.compile(r"(?:index-url|extra-index|artifactory|nexus|pypi\.(?!org)[a-z]+\.|mirror[s]?\.[a-z]+\.)", re.I)
SECRETS = re.compile(r"(?<!\d)\d{8,10}:AA(?!test)[A-Za-z0-9_-]{30,}|sk-[A-Za-z0-9]{20,}|ghp_[A-Za-z0-9]{20,}")
TEXTUAL = {
    ".py",
    ".md",
    ".txt",
    ".toml",
    ".yml",
    ".yaml",
    ".json",
    ".po",
    ".js",
    ".css",
    ".html",
    ".svg",
    "",
    ".example",
    ".cfg",
}


def readable():
    """Return (path, text) of every tracked text file."""
    return [(path, path.read_text(encoding="utf-8")) for path in tracked() if path.suffix in TEXTUAL]


DOCUMENT = re.compile(r"(?<![\w./])[\w./-]*\b[\w-]+\.md\b")
ELSEWHERES = re.compile(r"\b(?:[Cc]riteri(?:on|a) \d|[Ll]essons? [A-Z]?\d|[Hh]oles? \d|acceptance list)")


def test_only_documents_that_are_there_are_named():
    """A stranger can look up what code, tests and documents point at."""
    there = {path.name for path in tracked()}
    gone = [
        f"{path.relative_to(ROOT)}: {name}"
        for path, text in readable()
        if path.suffix in (".py", ".md") and path != Path(__file__)
        for name in [*DOCUMENT.findall(text), *ELSEWHERES.findall(text)]
        if Path(name).name not in there and Path(name).name != ".md"
    ]
    assert not gone, "\n".join(gone)


def test_16_no_secret_no_machine_and_no_registry_is_named_in_the_repository():
    found = []
    for path, text in readable():
        if path.name == Path(__file__).name:
            continue
        for pattern in (PLACES, REGISTRIES, SECRETS):
            found += [f"{path.relative_to(ROOT)}: {match[0]}" for match in pattern.finditer(text)]
    assert not found


def test_every_text_file_is_plain_utf8():
    for path, text in readable():
        assert not text.startswith("\ufeff") and "\r" not in text, path
        assert not text or text.endswith("\n"), f"{path} does not end with a line end"


def documents():
    """Return the documents people read."""
    names = ("README.md", "CONTRIBUTING.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")))
    return [(name, (ROOT / name).read_text()) for name in names]


def test_documents_name_no_file_that_is_missing():
    for name, text in documents():
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert ((ROOT / name).parent / target).exists(), f"{name} leads to {target}"


def test_documents_name_no_make_target_that_is_missing():
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.M))
    for name, text in documents():
        assert set(re.findall(r"`?make ([a-z-]+)\b", "\n".join(code(text)))) <= targets, name


def code(text):
    """Return what stands in code: blocks and back-quoted words."""
    return re.findall(r"```[a-z]*\n(.*?)```", text, re.S) + re.findall(r"`([^`\n]+)`", text)


def test_documents_name_no_command_line_that_is_missing():
    done = subprocess.run(
        [sys.executable, "bot.py", "--help"], cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=60
    )
    known = set(re.findall(r"[a-z][a-z-]+|--[a-z-]+", done.stdout))
    for name, text in documents():
        for line in re.findall(r"python bot\.py([^\n`#]*)", "\n".join(code(text))):
            words = [
                word for word in re.findall(r"(?:--)?[a-z][a-z-]+", line.split("#")[0]) if not word.startswith("var")
            ]
            assert not words or words[0] in known, f"{name}: python bot.py{line}"


def test_every_chat_command_in_the_documents_exists():
    examples = sorted((ROOT / "docs" / "examples" / "plugins").glob("*.py"))
    code_of = "\n".join(path.read_text() for path in [*PLUGINS, *examples])
    ours = set(re.findall(r'bot\.command\(\s*"([a-z]+)"', code_of))
    for name, text in documents():
        named = set(re.findall(r"(?<![\w./<:}-])/([a-z]{2,})(?![\w/.])", "\n".join(code(text))))
        unknown = (
            named
            - ours
            - {
                "health",
                "metrics",
                "var",
                "bot",
                "kie",
                "demo",
                "page",
                "daily",
                "telegram",
                "id",
                "data",
                "schema",
                "links",
                "paylink",
                "setinline",
            }  # addresses, and a command of BotFather
        )
        assert not unknown, f"{name} names {unknown}"


def test_the_workplace_is_not_named():
    words = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    for path, text in readable():
        if path.suffix == ".py" and path.name != Path(__file__).name:
            assert not words.search(text), path
