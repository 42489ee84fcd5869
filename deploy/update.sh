#!/bin/sh
# Update the bot of docs/operate.md's first section, and the way back. As root:
#
#     deploy/update.sh          stop, back up, pull, install, start, doctor
#     deploy/update.sh back     the version and, where the schema has changed, the rows of before
#
# Other places: BOT_DIR, BOT_DATA, BOT_USER, BOT_SERVICE. Without systemd: BOT_STOP and BOT_START, the commands that stop
# and start the bot. With PostgreSQL the way back of a changed schema wants EMPTY_DATABASE_URL, an empty database to
# restore into. BOT_WAIT: the seconds that the new version has to begin its work (60; 0: do not wait).
set -eu
dir=${BOT_DIR:-/opt/bot}
data=${BOT_DATA:-/var/lib/bot}
user=${BOT_USER-bot}
service=${BOT_SERVICE:-bot}
python=${BOT_PYTHON:-$dir/.venv/bin/python}
stop=${BOT_STOP:-systemctl stop $service}
start=${BOT_START:-systemctl start $service}
kept=$data/update
cd "$dir"

say() { printf '%s\n' "$*"; }
die() { say "update: $*" >&2; exit 1; }
as_bot() { if [ -n "$user" ]; then sudo -u "$user" "$@"; else "$@"; fi; }
bot() { as_bot "$python" bot.py "$@"; }

can_restart() {
    { [ -n "${BOT_STOP:-}" ] && [ -n "${BOT_START:-}" ]; } || command -v systemctl > /dev/null ||
        die "there is no systemctl here: say how the bot is stopped and started, BOT_STOP='…' BOT_START='…' deploy/update.sh"
}

forward() {
    can_restart
    [ -z "$(git status --porcelain --untracked-files=no)" ] || die "files are changed here (git status): commit them or take them back first"
    as_bot mkdir -p "$kept"
    commit=$(git rev-parse HEAD)
    branch=$(branch_to_follow)
    git fetch --quiet
    [ "$(git rev-parse --abbrev-ref HEAD)" != HEAD ] || [ "$(git rev-parse "$branch")" != "$(git rev-parse "$branch@{upstream}")" ] ||
        die "there is nothing newer than the version that was taken back; the bot runs on"
    file=$kept/$(date -u +%Y%m%d-%H%M%S).jsonl.gz
    trap 'say "update: it broke off before anything was changed; the bot is started again" >&2; sh -c "$start"' EXIT
    sh -c "$stop"
    bot backup "$file"
    printf '%s\n%s\n%s\n' "$commit" "$branch" "$file" > "$kept/last"
    trap 'say "update: it broke off. The way back: deploy/update.sh back" >&2' EXIT
    git checkout --quiet "$branch"
    git pull --ff-only --quiet
    "$python" -m pip install --quiet --requirement requirements.txt
    sh -c "$start"
    trap - EXIT
    say "updated from $commit to $(git rev-parse HEAD). The way back: deploy/update.sh back"
    look || die "the new version has the problems above. If they are not yours to mend: deploy/update.sh back"
}

branch_to_follow() {
    branch=$(git rev-parse --abbrev-ref HEAD)
    if [ "$branch" = HEAD ]; then  # the way back was taken
        branch=$(sed -n 2p "$kept/taken-back" 2> /dev/null) || true
        [ -n "$branch" ] || die "this checkout follows no branch: git checkout main, for example"
    fi
    say "$branch"
}

back() {
    can_restart
    [ -f "$kept/last" ] || die "there is no update to take back ($kept/last)"
    { read -r commit; read -r branch; read -r file; } < "$kept/last"
    [ -z "${EMPTY_DATABASE_URL:-}" ] || [ -f .env ] || die "there is no $dir/.env to write that DATABASE_URL into. Nothing was done"
    [ -n "${EMPTY_DATABASE_URL:-}" ] || [ -f "$data/bot.db" ] || git diff --quiet "$commit" HEAD -- storage/migrations ||
        die "the schema may have changed: want EMPTY_DATABASE_URL, an empty database for the rows of before (docs/operate.md). Nothing was done"
    sh -c "$stop"
    now=$(bot verify 2>&1 | tail -n 1) || true
    git checkout --quiet "$commit"
    "$python" -m pip install --quiet --requirement requirements.txt
    if bot verify > "$kept/verify.txt" 2>&1; then
        say "the schema has not changed: all rows stay, and nothing is lost"
    elif grep -q "does not know" "$kept/verify.txt"; then
        say "the schema has changed, so the rows of before come back, from $file"
        say "now:    $now"
        restore
        say "before: $(bot verify | tail -n 1)"
        say "What came in between is lost: people, orders, transfers and what the staff did."
        say "Payments in Stars of that time are found in Telegram's list and credited by themselves; transfers and other"
        say "providers' payments you have to compare by hand: a provider's page lists them, /topups credits them."
    else
        tail -n 3 "$kept/verify.txt" >&2
        die "the books cannot be proved; nothing was restored, the bot stands still"
    fi
    mv "$kept/last" "$kept/taken-back"
    sh -c "$start"
    say "back at $commit. The next deploy/update.sh follows $branch again, once it has something newer"
    look
}

restore() {
    if [ -n "${EMPTY_DATABASE_URL:-}" ]; then
        as_bot env DATABASE_URL="$EMPTY_DATABASE_URL" "$python" bot.py restore "$file"
        "$python" - << 'EOF'
import os, re
with open(".env", "r+", encoding="utf-8") as env:
    rest = re.sub(r"(?m)^(?=[ \t]*(export[ \t]+)?DATABASE_URL[ \t]*=)", "# the newer rows: ", env.read()).rstrip("\n")
    env.seek(0)
    env.write(f"{rest}\nDATABASE_URL={os.environ['EMPTY_DATABASE_URL']}\n")
    env.truncate()
EOF
        say "the newer rows stay where they are; DATABASE_URL in .env names the database of before"
    elif [ -f "$data/bot.db" ]; then
        aside=$kept/newer-$(date -u +%Y%m%d-%H%M%S)
        as_bot mkdir "$aside"
        for one in "$data"/bot.db*; do as_bot mv "$one" "$aside/"; done
        say "the newer rows stay in $aside"
        bot restore "$file"
    else
        die "want EMPTY_DATABASE_URL, an empty database to restore into; then once more: deploy/update.sh back"
    fi
}

look() {
    wait=${BOT_WAIT:-60}
    if [ "$wait" != 0 ] && bot --help | grep -q -e --wait; then bot doctor --wait "$wait"; else bot doctor; fi
}

case "${1:-}" in
    "") forward ;;
    back) back ;;
    *) die "say: deploy/update.sh, or deploy/update.sh back" ;;
esac
