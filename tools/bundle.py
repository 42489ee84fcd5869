"""`python bot.py doctor --bundle`: one archive for whoever helps, without secrets: settings, versions, health, last errors.

Of a setting that may be private (an address, a name, bank details) it says only that it is set. With KIE_RECORD=1 it has
KIE's last answers as well, and rehearsal.json if there has been a rehearsal.
"""

import io
import json
import logging
import os
import platform
import re
import sqlite3
import sys
import tarfile
from decimal import Decimal
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit

from core import log, settings
from kie.api.recording import ANSWERS, Recording, shortened
from storage.base import db, schema
from storage.base.db import private_file
from storage.journal import error_reports
from tools.rehearsal.rehearsing import NAME as REHEARSAL

ERRORS = 20  # of the last ones
ROOT = Path(__file__).parent.parent
PLAIN = (int, Decimal, settings.switch, settings.zone)  # kinds of settings whose values are nobody's business alone
HOME = re.compile(r'(?<=File ")[^"]*?/(?=(?:core|plugins|kie|storage|tools|bot\.py|site-packages)\b)')
LONG_NUMBER = re.compile(r"\d{6,}")


def run(bot, _argument):
    """Write the archive; yield lines to print."""
    hide = log.SafeFormatter([*bot.settings.secrets(), *_private(bot.settings)]).secrets
    parts = {
        "versions.json": json.dumps(_versions(bot), indent=1, ensure_ascii=False),
        "settings.txt": "\n".join(_settings(bot.settings)),
        "health.txt": "\n".join(_health(bot)),
        "errors.txt": "\n\n".join(_errors()),
        **_files(Path(bot.settings["DATA_DIR"])),
    }
    parts = {name: log.hide(text, hide) for name, text in parts.items()}
    path = Path(bot.settings["DATA_DIR"]) / f"bundle-{bot.clock.now():%Y-%m-%d-%H%M%S}.tar.gz"
    with open(path, "xb", opener=private_file) as stream, tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, text in parts.items():
            _add(archive, f"bundle/{name}", f"{text}\n".encode(), bot.clock.now())
    yield f"{path}: {', '.join(parts)}"
    yield "It contains no token, key or address, and nothing that people wrote. Look through it before you send it."


def _add(archive, name, data, now):
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = len(data), 0o600, int(now.timestamp())
    archive.addfile(entry, io.BytesIO(data))


def _private(found):
    """Return values that are no secrets and yet nobody's business: texts that the operator has set, and their parts."""
    values = {str(found[name]) for name, rule in found.declared.items() if not _is_plain(rule) and found[name]}
    owners = {str(one) for one in found["ADMIN_IDS"]}
    public = {str(rule.default) for rule in found.declared.values()}
    hosts = {urlsplit(value).hostname or "" for value in values if "://" in value} - {"api.telegram.org", "api.kie.ai"}
    return sorted((values | owners | hosts) - public - {""})


def _is_plain(rule):
    return not rule.secret and (rule.kind in PLAIN or bool(rule.choices) or rule.name in ("CURRENCY", "PLUGINS_OFF"))


def _settings(found):
    """Return a line for each setting: its value where that is no secret, else whether it is set."""
    for name, rule in sorted(found.declared.items()):
        value = found[name]
        if value == rule.default:
            yield f"{name}: default"
        elif _is_plain(rule):
            yield f"{name}: {value}"
        else:
            kind = str(value).partition(":")[0] if name == "DATABASE_URL" else f"{len(str(value))} characters"
            yield f"{name}: set ({kind})"


def _versions(bot):
    libraries = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    names = re.findall(r"^([A-Za-z0-9._-]+)", libraries, re.M)
    return {
        "bot": bot.status.version,
        "python": sys.version.split()[0],
        "system": platform.platform(),
        "container": Path("/.dockerenv").exists() or "KUBERNETES_SERVICE_HOST" in os.environ,
        "sqlite": sqlite3.sqlite_version,
        "libraries": {name: _version(name) for name in sorted(set(names))},
        "plugins": {name: source.origin or "ours" for name, source in bot.sources.items() if source.origin},
        "plugins_off": sorted(bot.switched_off),
    }


def _version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "missing"


def _health(bot):
    """Return doctor's lines; what it finds is what the bundle is for, so it does not fail here."""
    db.connect(bot.settings["DATABASE_URL"])
    yield f"migrations missing: {', '.join(schema.pending()) or 'none'}"
    logging.disable()  # a check that fails is a line here
    found = list(bot.examine())
    logging.disable(logging.NOTSET)
    for name, key, values in found:
        yield f"PROBLEM {name}: {bot.texts.plain(bot.texts.default, key, **values)}" if key else f"ok      {name}"


def _errors():
    """Yield the last error reports; long numbers may be people's ids, and paths tell who has the machine."""
    if schema.pending():
        return
    for report in error_reports.recent(ERRORS):
        reason = LONG_NUMBER.sub("#", shortened(HOME.sub("", report.reason)))
        yield f"{report.code}  {report.created_at:%Y-%m-%d %H:%M:%S} UTC\n{reason}"


def _files(folder):
    """Return what is there of KIE's answers and of a rehearsal."""
    found = {}
    if answers := Recording(folder / ANSWERS).lines():
        found[ANSWERS] = "\n".join(answers)
    if (folder / REHEARSAL).exists():
        found[REHEARSAL] = (folder / REHEARSAL).read_text(encoding="utf-8").rstrip("\n")
    return found
