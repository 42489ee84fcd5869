"""The deployment files, read as the platforms read them: they agree with the code and with one another.

No container, no Render and no systemd runs here; what is proved is that the files parse, name only things that exist,
and that the contents of the image are enough to start.
"""

import configparser
import json
import re
import shlex
import shutil
import subprocess
import sys

import pytest
import yaml

import bot as main
from core.process.loops import Clock
from core.process.web import Visit
from tests.kit import ROOT, TOKEN
from tests.process import environment

NOT_OURS = re.compile(r"PYTHON\w*|PIP_\w+|MPLCONFIGDIR|POSTGRES_\w+")
PINNED = re.compile(r"[a-z]+:\d+\.\d+(\.\d+)?-[a-z-]+")
COMMAND = "python bot.py"


def read(name):
    """Return a file's text."""
    return (ROOT / name).read_text()


@pytest.fixture(scope="module")
def settings():
    """The names of every setting."""
    environ = {"TELEGRAM_BOT_TOKEN": TOKEN, "KIE_API_KEY": "some-key"}
    return set(main.build(environ, Clock(), threads=0).bot.settings.declared)


@pytest.fixture(scope="module")
def dockerfile():
    """The instructions of the Dockerfile, as (word, the rest) pairs."""
    lines = re.sub(r"\\\n\s*", "", read("Dockerfile")).splitlines()
    return [tuple(line.split(" ", 1)) for line in lines if line.strip() and not line.startswith("#")]


@pytest.fixture(scope="module")
def compose():
    """The services of compose.yaml."""
    return yaml.safe_load(read("compose.yaml"))["services"]


@pytest.fixture(scope="module")
def render():
    """The web service of render.yaml, with the file's databases."""
    blueprint = yaml.safe_load(read("render.yaml"))
    (service,) = blueprint["services"]
    return service, blueprint["databases"]


def unit():
    """Return the sections of the systemd unit; a key that comes twice keeps its last value."""
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str
    parser.read_string(read("deploy/bot.service"))
    return parser


def of(dockerfile, word):
    """Return what stands behind an instruction, each time it is used."""
    return [rest for found, rest in dockerfile if found == word]


def in_dockerfile(dockerfile):
    """Return the environment of the image."""
    return dict(word.split("=", 1) for rest in of(dockerfile, "ENV") for word in shlex.split(rest))


def test_every_setting_the_files_name_exists(settings, dockerfile, compose, render):
    in_unit = [pair.split("=")[0] for pair in unit()["Service"]["Environment"].split()]
    named = {
        "Dockerfile": in_dockerfile(dockerfile),
        "compose.yaml": {**compose["bot"]["environment"], **compose["postgres"]["environment"]},
        "render.yaml": [variable["key"] for variable in render[0]["envVars"]],
        "bot.service": in_unit,
        "Procfile": [],
    }
    for name, found in named.items():
        strangers = {one for one in found if one not in settings and not NOT_OURS.fullmatch(one)}
        assert not strangers, f"{name} names {strangers}"


def test_all_start_the_same_program(dockerfile, render):
    assert json.loads(of(dockerfile, "CMD")[-1]) == COMMAND.split()
    assert render[0]["startCommand"] == COMMAND
    assert read("Procfile") == f"web: {COMMAND}\n"
    assert unit()["Service"]["ExecStart"].endswith(f".venv/bin/{COMMAND}")


def test_ports_and_the_health_path_agree(dockerfile, compose, render):
    port = in_dockerfile(dockerfile)["PORT"]
    assert of(dockerfile, "EXPOSE") == [port] == [compose["bot"]["environment"]["PORT"]]
    (check,) = of(dockerfile, "HEALTHCHECK")
    assert render[0]["healthCheckPath"] == "/health" and "/health'" in check and "PORT" in check
    assert 'app.get("/health")' in read("core/process/web.py")


def test_the_image_is_pinned_slim_and_not_roots(dockerfile, compose):
    (base,) = of(dockerfile, "FROM")
    assert PINNED.fullmatch(base) and "-slim" in base
    assert PINNED.fullmatch(compose["postgres"]["image"])
    (user,) = of(dockerfile, "USER")
    assert user.split(":")[0] not in ("0", "root")
    words = [word for word, _rest in dockerfile]
    assert words.index("USER") > max(i for i, word in enumerate(words) if word in ("COPY", "RUN"))
    assert words.index("WORKDIR") < words.index("COPY"), "a relative COPY wants a WORKDIR"
    assert "ADD" not in words and not any("sudo" in rest or "apt-get" in rest for rest in of(dockerfile, "RUN"))
    for word in ("CMD", "HEALTHCHECK"):  # the form of a list: no shell stands between the signal and the bot
        assert re.search(r"\[\".*\"\]$", of(dockerfile, word)[-1])


def test_its_rows_are_on_a_volume(dockerfile, compose):
    data = in_dockerfile(dockerfile)["DATA_DIR"]
    assert of(dockerfile, "VOLUME") == [data] == [compose["bot"]["environment"]["DATA_DIR"]]
    own = in_dockerfile(dockerfile)["PLUGINS_DIR"]  # the operator's plugins, which the bot only reads
    assert [place.split(":")[1:] for place in compose["bot"]["volumes"]] == [[data], [own, "ro"]]


def test_the_image_takes_no_secret_and_no_database():
    lines = [line for line in read(".dockerignore").splitlines() if line and not line.startswith("#")]
    allowed = [line.removeprefix("!") for line in lines if line.startswith("!")]
    assert lines[0] == "*", "everything is left out but what is named"
    assert not {".env", "var", ".git", ".venv"} & set(allowed)
    assert {"**/*.db", "**/__pycache__"} <= set(lines)


def test_what_the_image_holds_is_enough_to_start(dockerfile, tmp_path):
    allowed = {line.removeprefix("!") for line in read(".dockerignore").splitlines() if line.startswith("!")}
    for rest in of(dockerfile, "COPY"):
        source, target = rest.split()
        assert source in allowed, f".dockerignore leaves {source} out"
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, tmp_path / target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, tmp_path / target)
    done = subprocess.run(
        [sys.executable, "bot.py"], cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2 and "TELEGRAM_BOT_TOKEN: not set" in done.stderr, done.stderr


def test_each_gives_the_bot_its_time_to_end(compose):
    from core.process import runtime

    needs = runtime.GOODBYE_S + runtime.DRAIN_S + runtime.CLOSE_S
    assert int(unit()["Service"]["TimeoutStopSec"]) > needs
    assert int(compose["bot"]["stop_grace_period"].removesuffix("s")) > needs


def test_compose_waits_for_a_database_that_answers(compose):
    address = compose["bot"]["environment"]["DATABASE_URL"]
    database = compose["postgres"]["environment"]
    assert address.startswith(f"postgresql://{database['POSTGRES_USER']}:")
    assert address.endswith(f"@postgres/{database['POSTGRES_DB']}")
    assert compose["bot"]["depends_on"]["postgres"]["condition"] == "service_healthy"
    assert "pg_isready" in compose["postgres"]["healthcheck"]["test"]
    assert "ports" not in compose["postgres"], "nobody outside needs the database"


def test_render_asks_for_the_secrets_and_knows_its_database(render):
    service, (database,) = render
    variables = {variable["key"]: variable for variable in service["envVars"]}
    for name in ("TELEGRAM_BOT_TOKEN", "KIE_API_KEY"):
        assert variables[name] == {"key": name, "sync": False}
    assert variables["DATABASE_URL"]["fromDatabase"] == {"name": database["name"], "property": "connectionString"}
    assert service["type"] == "web" and service["runtime"] == "python" and database["ipAllowList"] == []
    assert {"PORT", "PUBLIC_URL"}.isdisjoint(variables), "PORT is Render's own"


def test_renders_disk_variant_is_the_same_but_for_where_the_rows_are(render):
    (service,) = yaml.safe_load(read("deploy/render-disk.yaml"))["services"]
    variables = {variable["key"]: variable for variable in service.pop("envVars")}
    assert service.pop("disk")["mountPath"] == variables.pop("DATA_DIR")["value"]
    with_server = dict(render[0])
    others = {variable["key"]: variable for variable in with_server.pop("envVars")}
    assert others.pop("DATABASE_URL") and others == variables
    assert with_server.pop("numInstances") == 1 and with_server == service


HARDENED = {
    "NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "yes", "PrivateTmp": "yes", "PrivateDevices": "yes",
    "ProtectKernelTunables": "yes", "RestrictNamespaces": "yes", "CapabilityBoundingSet": "", "UMask": "0077",
}  # fmt: skip


def test_the_systemd_unit_restarts_hardens_and_keeps_its_rows():
    service = unit()["Service"]
    assert HARDENED.items() <= dict(service).items()
    assert service["User"] not in ("root", "0") and service["Restart"] == "always"
    assert service["RestartPreventExitStatus"] == "2", "wrong settings do not mend themselves"
    assert service["StateDirectory"] == "bot", "DATA_DIR is /var/lib/bot"
    assert unit()["Install"]["WantedBy"] == "multi-user.target"
    assert "DATA_DIR=/var/lib/bot" in read("docs/operate.md")


def test_the_page_turns_the_site_of_nginx_into_one_with_a_certificate_of_ones_own(tmp_path):
    block = next(
        text
        for text in re.findall(r"```\n(.+?)```", read("docs/operate.md"), re.S)
        if "openssl" in text and "sed" in text
    )
    lines = block.replace("\\\n", "").splitlines()
    site = tmp_path / "bot"
    shutil.copy(ROOT / "deploy" / "nginx.conf", site)
    _sudo, *command, place = shlex.split(next(line for line in lines if " sed " in line))
    assert place == "/etc/nginx/sites-enabled/bot"
    subprocess.run([*command, site], check=True, timeout=10)
    made = shlex.split(next(line for line in lines if " openssl req " in line))
    pem, key = made[made.index("-out") + 1], made[made.index("-keyout") + 1]
    text = site.read_text()
    assert f"ssl_certificate {pem};" in text and f"ssl_certificate_key {key};" in text
    assert "listen 8443 ssl" in text and "server_name 203.0.113.7;" in text and "letsencrypt" not in text
    assert "subjectAltName=IP:203.0.113.7" in made
    assert f"WEBHOOK_CERTIFICATE={pem}\nPUBLIC_URL=https://203.0.113.7:8443\n" in read("docs/operate.md")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not here")
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path):
    text = read("deploy/bot.service").replace("/opt/bot/.venv/bin/python", sys.executable)
    (tmp_path / "bot.service").write_text(text.replace("file:/opt/bot", f"file:{ROOT}"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", tmp_path / "bot.service"], capture_output=True, text=True, timeout=60
    )
    ours = [line for line in done.stderr.splitlines() if "bot.service" in line]
    assert done.returncode == 0 and not ours, ours


# what a collector watches


def alerts():
    """Return the rules of deploy/alerts.yml."""
    return [rule for group in yaml.safe_load(read("deploy/alerts.yml"))["groups"] for rule in group["rules"]]


def test_every_alert_says_what_to_do_and_asks_for_figures_there_are(start_bot):
    bot = start_bot()
    bot.user().send("/start")
    page, _headers = bot.bot.pages["/metrics"](bot.bot, True, Visit({}, True))
    there = set(re.findall(r"^(\w+?)(?:\{|\s)", page.decode(), re.M)) | {"up"}
    assert len(alerts()) > 8
    for rule in alerts():
        assert set(re.findall(r"\b(?:bot_\w+|up)\b", rule["expr"])) <= there, rule["alert"]
        assert rule["annotations"]["summary"] and rule["annotations"]["do"] and rule["labels"]["severity"]


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not here")
def test_promtool_takes_the_alerts():
    done = subprocess.run(
        ["promtool", "check", "rules", ROOT / "deploy" / "alerts.yml"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
