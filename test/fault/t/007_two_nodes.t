# A restore of two nodes that was killed goes on on both: on the one that was complete, and on the one that was not.
use strict;
use warnings;
use PgarkTest;
use Test::More;
my $source = make_server('source');
my $second = make_server('second');
my $target = make_server('target');
my $repo   = new_repo();
for my $node ($source, $second)
{
    $node->safe_psql('postgres', 'CREATE DATABASE shop');
    $node->safe_psql('shop', 'CREATE TABLE t AS SELECT i AS id, md5(i::text) AS t FROM generate_series(1, 1000) i; CREATE INDEX ON t (id);
        CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN END$$; CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f()');
}
$second->safe_psql('shop', 'CREATE TABLE late AS SELECT generate_series(1, 1000) AS id; CREATE INDEX ON late (id)');
my $key = backup($repo, '--node', conninfo($source, 'shop'), '--node', conninfo($second, 'shop'));
# ---- two nodes: one is complete, and waits for the other
for my $step (4, 5)
{
    my @dbs = map { my $db = "node${step}_$_"; $target->safe_psql('postgres', "CREATE DATABASE $db TEMPLATE template0"); $db } 0, 1;
    my @args = ('restore', $key, '--repo', $repo, '-j2', map { ('--map', "$_=" . conninfo($target, $dbs[$_])) } 0, 1);
    my $session = session($target, $dbs[1]);
    # Frozen when it is complete (4), or when it begins to remove its journal (5).
    my $seen = "SELECT count(*) FROM pgark_restore.done WHERE kind = 's' AND id = $step";
    $session->{stdin} .= <<"SQL";
BEGIN;
DO \$\$ DECLARE c int; BEGIN
    LOOP
        IF EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'pgark_restore' AND c.relname = 'done') THEN
            IF $step = 5 THEN EXECUTE 'LOCK TABLE pgark_restore.request IN ACCESS SHARE MODE'; END IF;
            EXECUTE '$seen' INTO c USING 0;
            IF c > 0 THEN
                IF $step = 4 THEN EXECUTE 'LOCK TABLE pgark_restore.done IN SHARE MODE'; END IF;
                RETURN;
            END IF;
        END IF;
        PERFORM pg_sleep(0.001);
    END LOOP;
END \$\$;
\\echo seen
SQL
    $session->{stdin} =~ s/''s''/'s'/;
    $session->{stdin} =~ s/EXECUTE '(SELECT count.*?)' INTO c USING 0/EXECUTE \$q\$$1\$q\$ INTO c/;
    $session->{run}->pump_nb;
    my $run = pgark_start(@args);
    $session->{run}->pump until $session->{stdout} =~ /seen/ || $session->{stderr} =~ /ERROR/;
    is($session->{stderr} =~ /ERROR/ ? $session->{stderr} : '', '', "two nodes, $step: it got there");
    # Of the other node the journal is gone already.
    wait_for_query($target, $dbs[0], "SELECT to_regnamespace('pgark_restore') IS NULL", "two nodes, $step: one journal is gone") if $step == 5;
    kill 'KILL', $run->{pid};
    is((pgark_finish($run))[0], 128 + 9, "two nodes, $step: it was killed");
    $session->quit;
    no_traces("two nodes, $step", undef, $target);
    pgark_ok([ @args, '--resume' ], "two nodes, $step: --resume");
    same_database($source, 'shop', $target, $dbs[0], "two nodes, $step: the first");
    same_database($second, 'shop', $target, $dbs[1], "two nodes, $step: the second");
    is($target->safe_psql($_, "SELECT to_regnamespace('pgark_restore') IS NULL"), 't', "two nodes, $step: no journal in $_") for @dbs;
}
done_testing();
