"""The leader lock: one holder, takeover, lost with its connection, and never behind a transaction pooler."""

import re
import time
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from core.process import leader_lock
from core.settings import SettingsError
from storage.base import db
from tests.pooler import Pooler, Wire


@pytest.fixture
def make(database_url, tmp_path):
    """Return a function that makes another copy's lock."""
    made = []

    def one():
        made.append(leader_lock.make(database_url, tmp_path / "data"))
        return made[-1]

    yield one
    for each in made:
        each.release()


@pytest.fixture
def url(postgres):
    """The address of a PostgreSQL database."""
    return postgres()


def folder_of(url):
    """Return the folder of the server's socket."""
    return parse_qs(urlsplit(url).query)["host"][0]


def pooled(url, **more):
    """Return (a pooler in front of the database, its address)."""
    database = urlsplit(url).path[1:]
    pooler = Pooler(folder_of(url) + "/.s.PGSQL.5432", database, **more)
    return pooler, f"postgresql://postgres@127.0.0.1:{pooler.port}/{database}"


def test_one_copy_holds_the_lock_and_the_next_takes_it_when_it_is_free(make):
    first, second = make(), make()
    assert first.acquire() and not second.acquire()
    first.check()
    first.release()
    assert soon(second)


def soon(leader, patience_s=10):
    """Tell whether a copy gets the lock soon: the server lets it go when it has seen the end of the connection."""
    end = time.monotonic() + patience_s
    while not leader.acquire():
        if time.monotonic() > end:
            return False
    return True


def test_a_leader_whose_connection_is_cut_learns_it_and_may_stand_again(url, tmp_path):
    leader = leader_lock.make(url, tmp_path)
    assert leader.acquire()
    leader.check()
    with psycopg.connect(url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_database ON oid = database"
            " WHERE locktype = 'advisory' AND datname = current_database()"  # the server is everybody's
        )
        with pytest.raises(leader_lock.LockLost):
            leader.check()
    leader.release()
    assert soon(leader)
    leader.release()


def test_a_server_that_does_not_answer_counts_as_lost_within_seconds(url, tmp_path):
    wire = Wire(folder_of(url) + "/.s.PGSQL.5432")
    leader = leader_lock.make(f"postgresql://postgres@127.0.0.1:{wire.port}{urlsplit(url).path}", tmp_path)
    assert leader.acquire()
    leader.check()
    wire.silent.set()
    began = time.monotonic()
    with pytest.raises(leader_lock.LockLost, match="no answer"):
        leader.check()
    assert time.monotonic() - began < leader_lock.ANSWER_S + 1
    wire.stop()


def test_the_lock_has_a_connection_of_its_own_with_keepalives_on_both_ends(url, tmp_path):
    leader = leader_lock.make(url, tmp_path)
    assert leader.acquire()
    ours = leader._connection.info.get_parameters()
    assert (ours["keepalives_idle"], ours["tcp_user_timeout"]) == ("1", "3000")
    assert "tcp_keepalives_idle=1" in ours["options"] and "tcp_user_timeout=3000" in ours["options"]
    leader.release()


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://u:p@ep-x-pooler.eu-central-1.aws.neon.tech/db",
        "postgresql://u:p@aws-0.pooler.supabase.com:6543/postgres",
        "postgresql://u:p@host/db?pgbouncer=true",
    ],
)
def test_known_transaction_poolers_are_refused_by_name(address, tmp_path):
    with pytest.raises(SettingsError, match="transaction mode"):
        leader_lock.make(address, tmp_path)


@pytest.mark.parametrize(
    "address", ["postgresql://u:p@aws-0.pooler.supabase.com:5432/postgres", "postgresql://u:p@host/db"]
)
def test_direct_addresses_and_session_poolers_are_not_refused(address, tmp_path):
    assert leader_lock.make(address, tmp_path)


def test_any_other_pooler_in_transaction_mode_is_found_out(url, tmp_path):
    pooler, address = pooled(url)
    leader = leader_lock.make(address, tmp_path)
    with pytest.raises(SettingsError, match="transaction mode"):
        leader.acquire()
    leader.release()
    pooler.stop()


def test_a_pooler_that_refuses_our_session_settings_is_named(url, tmp_path):
    pooler, address = pooled(url, refuses_options=True)
    with pytest.raises(SettingsError, match="transaction mode"):
        leader_lock.make(address, tmp_path).acquire()
    pooler.stop()


def test_a_data_folder_that_cannot_be_written_is_told_in_one_line(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SettingsError, match=r"^DATA_DIR: found .*want a folder the bot may write to$"):
        leader_lock.make("sqlite:///x", str(tmp_path / "file"))


def test_the_address_decides_about_tls_for_the_lock_and_for_the_rows(url, tmp_path):
    """The tests' server has none; behind a socket of its own it would not be asked for."""
    wire = Wire(folder_of(url) + "/.s.PGSQL.5432")
    address = f"postgresql://postgres@127.0.0.1:{wire.port}{urlsplit(url).path}?sslmode="
    leader = leader_lock.make(address + "prefer", tmp_path)
    assert leader.acquire()
    leader.release()
    with pytest.raises(SettingsError, match="does not support SSL"):
        leader_lock.make(address + "require", tmp_path).acquire()
    with pytest.raises(db.StorageDown, match="does not support SSL"):
        db.connect(address + "require")
    db.connect(address + "prefer")
    with db.connection() as real:
        assert real.execute_sql("SHOW statement_timeout").fetchone() == ("30s",), "no statement runs for ever"
    db.disconnect()
    wire.stop()


def test_a_database_that_is_not_there_is_told_in_one_line(url, tmp_path):
    wrong = re.sub(r"/t\d+\?", "/nothing?", url)
    with pytest.raises(SettingsError, match=r"DATABASE_URL.*does not exist"):
        leader_lock.make(wrong, tmp_path).acquire()


def test_a_server_that_is_away_is_waited_for(tmp_path):
    with pytest.raises(leader_lock.LockLost):
        leader_lock.make("postgresql://u:p@127.0.0.1:1/db", tmp_path).acquire()
