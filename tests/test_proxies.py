"""The files for nginx and Caddy, with the programs themselves where they are installed: TLS outside, the bot inside."""

import os
import shutil
import subprocess

import pytest
import requests

from bench.process import free_port
from tests.kit import ROOT
from tests.test_webhook import SECRET, copies, message, servers, wait_for

__all__ = ["copies", "servers"]  # fixtures
DOMAIN = "bot.example.org"


@pytest.fixture
def certificate(tmp_path):
    """A self-signed certificate for this machine, as docs/operate.md makes one; return (certificate, key)."""
    pem, key = tmp_path / "bot.pem", tmp_path / "bot.key"
    command = "openssl req -newkey rsa:2048 -sha256 -nodes -x509 -days 10 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    subprocess.run([*command.split(), "-keyout", key, "-out", pem], check=True, capture_output=True, timeout=60)
    return pem, key


def nginx(port, bot, pem, key, folder):
    """Return the command of an nginx with our site, on another port and with another certificate."""
    site = (ROOT / "deploy" / "nginx.conf").read_text()
    for ours, here in (
        ("listen 443", f"listen 127.0.0.1:{port}"),
        (f"/etc/letsencrypt/live/{DOMAIN}/fullchain.pem", str(pem)),
        (f"/etc/letsencrypt/live/{DOMAIN}/privkey.pem", str(key)),
        ("127.0.0.1:8080", f"127.0.0.1:{bot}"),
        (DOMAIN, "localhost"),
    ):
        assert ours in site
        site = site.replace(ours, here)
    paths = "".join(
        f"{name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    path = folder / "nginx.conf"
    path.write_text(
        f"daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{paths}{site}}}\n"
    )
    return ["nginx", "-p", str(folder), "-c", str(path)]


def caddy(port, bot, pem, key, folder):
    """Return the command of a Caddy with our file, on another port and with another certificate."""
    text = (ROOT / "deploy" / "Caddyfile").read_text()
    text = text.replace("reverse_proxy", f"tls {pem} {key}\n\treverse_proxy")
    text = text.replace("{$DOMAIN:bot.example.org}", f"https://localhost:{port}").replace(
        "{$BOT:127.0.0.1:8080}", f"127.0.0.1:{bot}"
    )
    path = folder / "Caddyfile"
    path.write_text("{\n\tadmin off\n\tauto_https off\n}\n" + text)
    return ["caddy", "run", "--config", str(path), "--adapter", "caddyfile"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("proxy", [nginx, caddy], ids=["nginx", "caddy"])
def test_the_bot_behind_it_answers_and_tells_the_inside_to_nobody(servers, copies, certificate, tmp_path, proxy):
    if not shutil.which(proxy.__name__):
        pytest.skip(f"{proxy.__name__} is not installed")
    port = free_port()
    copy = copies(TRUSTED_PROXIES="127.0.0.1", BIND="127.0.0.1")
    copy.wait_for("ok")
    running = subprocess.Popen(
        proxy(port, copy.port, *certificate, tmp_path), cwd=tmp_path, env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        wait_for(lambda: _get(port, certificate, "/health") == 404 or running.poll() is not None)
        assert running.poll() is None, running.stderr.read()
        assert _get(port, certificate, "/metrics") == 404
        alice = servers.telegram.person("Alice")
        posted = requests.post(
            f"https://localhost:{port}/telegram",
            json=message(alice, 7),
            headers=SECRET,
            verify=str(certificate[0]),
            timeout=5,
        )
        assert posted.status_code == 200
        wait_for(lambda: alice.received)
        assert (
            requests.post(
                f"https://localhost:{port}/telegram", json={}, verify=str(certificate[0]), timeout=5
            ).status_code
            == 401
        )
        big = requests.post(
            f"https://localhost:{port}/telegram",
            data=b"x" * 2_000_000,
            headers=SECRET,
            verify=str(certificate[0]),
            timeout=5,
        )
        assert big.status_code in (413, 502)  # 502: Caddy was still sending when the bot had refused it
    finally:
        running.kill()
        running.communicate()


def _get(port, certificate, path):
    """Return the status of a page, or None while nobody listens."""
    try:
        return requests.get(f"https://localhost:{port}{path}", verify=str(certificate[0]), timeout=5).status_code
    except requests.ConnectionError:
        return None
