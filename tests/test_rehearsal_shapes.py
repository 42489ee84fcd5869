"""The local servers beside what rehearsals have recorded, shape by shape: a field they invent or lack is a failing test.

A file that an operator attaches to an issue is put into tests/data/rehearsals. One of them was made from documentation:
it counts like the others until there are recordings of its calls.
"""

import json
import time

import pytest

from core.process.web import Web
from tests.kit import BOSS
from tests.rehearsals import FILES, answers, differences, recordings
from tests.till import pay_stars
from tools.rehearsal.rehearsing import ASSUMPTIONS
from tools.rehearsal.shapes import differences as lacking
from tools.rehearsal.shapes import recorded

ALIKE = {
    "telegram_download",
    "kie_clock",
    "kie_uploaded",
    "kie_result_file",
    "kie_listed",
    "kie_states",
    "kie_duration",
    "kie_charged",
    "kie_result",
}  # they look at what other calls have brought, or at a file


@pytest.fixture
def ours(start_bot, tmp_path, unused_port):
    """How the local servers answered in a whole rehearsal, with a payment in Stars, a webhook and a callback."""
    now = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
    url = f"http://127.0.0.1:{unused_port}"
    bot = start_bot(PUBLIC_URL=url, PORT=str(unused_port), DATA_DIR=str(tmp_path), now=now)
    boss = bot.admin()
    pay_stars(boss)
    web = Web("127.0.0.1", unused_port, bot.clock, "test")
    web.runtime = bot.runtime
    run = bot.bot.rehearsal.begin(BOSS, webhook=True)
    findings = list(run)
    run.close()
    web.close()
    assert {one.verdict for one in findings} == {"holds"}, [one for one in findings if one.verdict != "holds"]
    return answers(json.loads(run.path.read_text(encoding="utf-8")))


@pytest.fixture
def unused_port():
    """A port of this machine that nobody listens on."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_local_servers_neither_invent_nor_lack_a_field(ours):
    wrong = []
    for path in recordings():
        report = json.loads(path.read_text(encoding="utf-8"))
        for key, shapes in answers(report).items():
            for shape in ours.get(key, ()):
                found = [list(differences(one, shape, report.get("types", {}))) for one in shapes]
                if all(found):
                    wrong += [f"{path.name}: {' '.join(key)}{line}" for line in found[0]]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_documentation_is_there_for_every_call(ours):
    known = answers(json.loads((FILES / "documentation.json").read_text(encoding="utf-8")))
    assert {name for name, _call in known} == {one.name for one in ASSUMPTIONS} - ALIKE
    assert known.keys() - ours.keys() == set(), "of these the local servers know nothing"


DOCUMENTED = {"code": "integer", "data": {"id": "string", "size?": "integer"}, "list": [{"a": "null|string"}]}


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        ({"code": 1, "data": {"id": "x"}, "list": [{"a": None}]}, None),
        ({"code": 1, "data": {"id": "x", "size": 2}, "list": []}, None),
        ({"code": 1, "data": {"id": "https://kie.ai/x"}, "list": [{"a": "b"}, {"a": None}]}, None),
        ({"code": 1, "data": {}, "list": []}, ".data.id is lacking"),
        ({"code": 1, "data": {"id": "x", "new": 1}, "list": []}, ".data.new is invented"),
        ({"code": "1", "data": {"id": "x"}, "list": []}, ".code: string in place of integer"),
        ({"code": 1, "data": [], "list": []}, ".data: array in place of object"),
        ({"code": 1, "data": {"id": "x"}, "list": [{"a": 5}]}, ".list[].a: integer in place of null|string"),
        ({"code": 1, "data": {"id": "x"}, "list": [{}]}, ".list[].a is lacking"),
    ],
)
def test_what_is_invented_or_lacking_is_found(answer, line):
    assert list(differences(DOCUMENTED, recorded(answer), {})) == ([line] if line else [])


def test_a_shape_has_nothing_of_the_content():
    answer = {
        "text": "private",
        "url": "https://private.example/x",
        "list": ["private", 5],
        "param": '{"prompt": "private"}',
    }
    text = json.dumps(recorded(answer))
    assert "private" not in text and json.loads(text) == {
        "text": "string", "url": "address", "list": ["integer|string"], "param": {"json": "object"},
    }  # fmt: skip


def test_what_came_beside_a_missing_field_is_named():
    wanted = {"id": str, "made": {"pages": int}, "url": str}
    came = {"code": "private", "made": {"count": 1} | {f"n{n}": n for n in range(9)}, "url": {"href": "private"}}
    assert list(lacking(wanted, came)) == [
        ("id", "string", "– {code}"),
        ("made.pages", "integer", "– {count, n0, n1, n2, n3, n4, n5, n6, …}"),
        ("url", "string", "object {href}"),
    ]
