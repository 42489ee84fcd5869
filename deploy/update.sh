#!/bin/sh
# Update the bot of docs/operate.md's first section, and the way back. As root:
#
#     deploy/update.sh          stop, back up, pull, install, start, doctor
#     deploy/update.sh back     the version and, where the schema has changed, the rows of before
#
# Other places: BOT_DIR, BOT_DATA, BOT_USER, BOT_SERVICE. With PostgreSQL the way back of a changed schema wants
# EMPTY_DATABASE_URL, an empty database to restore into.
set -eu
dir=${BOT_DIR:-/opt/bot}
data=${BOT_DATA:-/var/lib/bot}
user=${BOT_USER-bot}
service=${BOT_SERVICE:-bot}
python=${BOT_PYTHON:-$dir/.venv/bin/python}
kept=$data/update
cd "$dir"

say() { printf '%s\n' "$*"; }
die() { say "update: $*" >&2; exit 1; }
as_bot() { if [ -n "$user" ]; then sudo -u "$user" "$@"; else "$@"; fi; }
bot() { as_bot "$python" bot.py "$@"; }
running() { systemctl "$1" "$service"; }

forward() {
    [ -z "$(git status --porcelain --untracked-files=no)" ] || die "files are changed here (git status): commit them or take them back first"
    as_bot mkdir -p "$kept"
    commit=$(git rev-parse HEAD)
    branch=$(git rev-parse --abbrev-ref HEAD)
    file=$kept/$(date -u +%Y%m%d-%H%M%S).jsonl.gz
    trap 'say "update: it broke off. The way back: deploy/update.sh back" >&2' EXIT
    running stop
    bot backup "$file"
    printf '%s\n%s\n%s\n' "$commit" "$branch" "$file" > "$kept/last"
    git pull --ff-only --quiet
    "$python" -m pip install --quiet --requirement requirements.txt
    running start
    trap - EXIT
    say "updated from $commit to $(git rev-parse HEAD). The way back: deploy/update.sh back"
    bot doctor
}

back() {
    [ -f "$kept/last" ] || die "there is no update to take back ($kept/last)"
    { read -r commit; read -r branch; read -r file; } < "$kept/last"
    running stop
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
    running start
    say "back at $commit. To follow $branch again: git checkout $branch"
    bot doctor
}

restore() {
    if [ -n "${EMPTY_DATABASE_URL:-}" ]; then
        as_bot env DATABASE_URL="$EMPTY_DATABASE_URL" "$python" bot.py restore "$file"
        say "now put that DATABASE_URL into .env"
        export DATABASE_URL="$EMPTY_DATABASE_URL"
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

case "${1:-}" in
    "") forward ;;
    back) back ;;
    *) die "say: deploy/update.sh, or deploy/update.sh back" ;;
esac
