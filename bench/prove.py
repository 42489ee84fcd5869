"""The long proofs, before a release: hours on a quiet machine. `make test` does a seeded tenth of each, or less.

    python bench/prove.py                 all of them; says at the end which failed
    python bench/prove.py --only kill     those with this word in their name
    python bench/prove.py --list          their names and commands

A new proof is a line in PROOFS: a script that exits with 1 if anything differs, and has a short form among the tests. A
test that scales itself (`tests/proof.py`) needs no line.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROOFS = {
    "all tests, whole and on both databases": "-m pytest -n auto --dist loadgroup",
    "kills at random moments": "bench/crash.py",
    "kills at random moments, with callbacks": "bench/crash.py --callbacks --seed 2",
    "a kill before every step": "bench/crash.py --deliberate",
    "the leader is killed": "bench/failover.py",
    "a deploy over a running copy": "bench/failover.py --by deploy --turns 10",
    "PostgreSQL restarts": "bench/failover.py --database postgresql --by restart --turns 5",
    "kills among three copies": "bench/workers.py",
    "a network that spoils a fifth": "bench/network.py",
}


def prove(command):
    """Run one proof; return whether it holds."""
    return not subprocess.run([sys.executable, *command.split()], cwd=ROOT, env=os.environ | {"PROVE": "1"}).returncode


def main():
    """Read the command line and run; exit with 1 if a proof failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="WORD")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    chosen = {name: command for name, command in PROOFS.items() if options.only in name}
    if options.list:
        print(*(f"{name:42} python {command}" for name, command in chosen.items()), sep="\n")
        return 0
    failed = []
    for name, command in chosen.items():
        print(f"\n== {name}: python {command}", flush=True)
        began = time.monotonic()
        holds = prove(command)
        print(f"== {name}: {'holds' if holds else 'FAILED'} ({(time.monotonic() - began) / 60:.0f} min)", flush=True)
        failed += [] if holds else [name]
    print(
        f"\n{len(chosen) - len(failed)} of {len(chosen)} proofs hold"
        + (f"; failed: {', '.join(failed)}" if failed else "")
    )
    return 1 if failed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
