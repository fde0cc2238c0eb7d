#!/bin/bash
# demo.sh - a fleet of three servers is backed up while money moves between them, thrown away, restored,
# and proven whole. Run by "make demo", as a user that may run servers, in a scratch directory.
set -euo pipefail

accounts=1000
opening=100
dir=$PWD/fleet
repo=$PWD/repository
writers=

say()
{
    printf '\n\033[1m== %s\033[0m\n' "$*"
}

# run COMMAND... - show it as a person would type it, then do it.
run()
{
    local word
    printf '$'
    for word in "$@"; do
        case $word in
            *' '*) printf " '%s'" "$word" ;;
            "$PGARK") printf ' pgark' ;;
            *) printf ' %s' "$word" ;;
        esac
    done
    printf '\n'
    "$@"
}

conninfo()
{
    echo "host=$dir/$1 dbname=shop"
}

ask()
{
    psql -X -A -t -q -v ON_ERROR_STOP=1 -d "$(conninfo "$1")" -c "$2"
}

start_server()
{
    mkdir -p "$dir/$1"
    initdb --no-sync --auth=trust --encoding=UTF8 --locale=C.UTF-8 -D "$dir/$1/data" >"$dir/$1/initdb.log"
    cat >>"$dir/$1/data/postgresql.conf" <<CONF
listen_addresses = ''
unix_socket_directories = '$dir/$1'
max_prepared_transactions = 50
fsync = off
CONF
    pg_ctl -D "$dir/$1/data" -l "$dir/$1/log" -w -s start
}

# The servers that run now are found by their pid files: whatever happens, none of them stays.
cleanup()
{
    local status=$?
    [ -z "$writers" ] || kill "$writers" 2>/dev/null || true
    for data in "$dir"/*/data; do
        [ ! -f "$data/postmaster.pid" ] || pg_ctl -D "$data" -m immediate -s stop || true
    done
    rm -rf "$dir" "$repo"
    exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

make_shard()
{
    start_server "$1"
    createdb -h "$dir/$1" shop
    ask "$1" "
        CREATE TABLE account (id int PRIMARY KEY, amount bigint NOT NULL);
        CREATE TABLE chain (id int PRIMARY KEY, value bigint NOT NULL);
        CREATE TABLE purchase (id bigserial PRIMARY KEY, account int NOT NULL REFERENCES account,
                               what text, at timestamptz);
        CREATE INDEX ON purchase (account, at);
        INSERT INTO account SELECT g, $opening FROM generate_series(1, $accounts) g;
        INSERT INTO chain SELECT g, 0 FROM generate_series(1, 2) g;
        INSERT INTO purchase (account, what, at)
            SELECT 1 + g % $accounts, md5(g::text), now() - g * interval '1 minute'
            FROM generate_series(1, 200000) g"
}

balance()
{
    local sum=0 i
    for i in "$@"; do
        sum=$((sum + $(ask "$i" 'SELECT sum(amount) FROM account')))
    done
    echo "$sum"
}

expected=$((3 * accounts * opening))

say "three servers, $accounts accounts on each, $expected in all"
for i in 0 1 2; do
    make_shard "shard$i" &
done
wait
echo "balance of the fleet: $(balance shard0 shard1 shard2)"

say "money moves between the servers, by two-phase commits, and goes on doing so"
"$PGARK_TOOLS/money" --prepared 4 --chain 2 --accounts "$accounts" --pause-us 500 \
    "$(conninfo shard0)" "$(conninfo shard1)" "$(conninfo shard2)" >"$PWD/money.log" 2>&1 &
writers=$!
until grep -qs ready "$PWD/money.log"; do
    kill -0 "$writers"
    sleep 0.05
done
until [ "$(ask shard0 'SELECT min(value) > 20 FROM chain')" = t ]; do
    sleep 0.05
done

say "one backup of the whole fleet, while they write"
run "$PGARK" check --repo "$repo" -j2 \
    --node "$(conninfo shard0)" --node "$(conninfo shard1)" --node "$(conninfo shard2)" || [ $? = 2 ]
echo
run "$PGARK" backup --repo "$repo" -j2 --quiet \
    --node "$(conninfo shard0)" --node "$(conninfo shard1)" --node "$(conninfo shard2)"
kill -0 "$writers" || { echo "the writers did not live until here" >&2; exit 1; }
at_backup=$(ask shard0 'SELECT max(value) FROM chain')

say "every stored byte is read and compared"
run "$PGARK" verify latest --repo "$repo" --quiet

say "the fleet is thrown away"
until [ "$(ask shard0 "SELECT max(value) > $at_backup FROM chain")" = t ]; do
    sleep 0.05
done
echo "the writers have gone on since: $(ask shard0 'SELECT max(value) FROM chain') is the highest count now"
kill "$writers"
wait "$writers" || true
writers=
tail -n 1 "$PWD/money.log"
for i in 0 1 2; do
    pg_ctl -D "$dir/shard$i/data" -m immediate -s stop
    rm -rf "${dir:?}/shard$i"
done
ls -A "$dir" | wc -l | sed 's/^/servers left: /'

say "three new, empty servers; the fleet is restored"
for i in 0 1 2; do
    start_server "new$i" &
done
wait
run "$PGARK" restore latest --repo "$repo" --create -j2 --quiet \
    --map "0=$(conninfo new0)" --map "1=$(conninfo new1)" --map "2=$(conninfo new2)"

say "proof"
for i in 0 1 2; do
    echo "new$i: $(ask "new$i" 'SELECT count(*) FROM account') accounts hold" \
        "$(ask "new$i" 'SELECT sum(amount) FROM account'), $(ask "new$i" 'SELECT count(*) FROM purchase')" \
        "purchases, counters at $(ask "new$i" "SELECT string_agg(value::text, ' ' ORDER BY id) FROM chain")"
done
found=$(balance new0 new1 new2)
moved=$(ask new0 "SELECT count(*) FROM account WHERE amount <> $opening")
echo "balance of the restored fleet: $found, expected $expected; $moved accounts of new0 had moved money"
[ "$found" = "$expected" ] || { echo "MONEY IS MISSING"; exit 1; }
[ "$moved" -gt 0 ] || { echo "no money had moved: nothing is proven"; exit 1; }

# A counter is raised on server 0, then on 1, then on 2: no later one may be ahead.
for i in 1 2; do
    first=$(ask "new$((i - 1))" 'SELECT value FROM chain WHERE id = 1')
    second=$(ask "new$i" 'SELECT value FROM chain WHERE id = 1')
    [ "$second" -le "$first" ] || { echo "an effect without its cause: $second after $first"; exit 1; }
done
echo "no counter is ahead of the one that caused it"
echo "balance proven"
