/* extension/pgark--1.0.sql - what CREATE EXTENSION pgark makes; doc/agent.md describes it for people. */

\echo Use "CREATE EXTENSION pgark" to load this file. \quit

/* A role belongs to all databases: it may be there already, and it stays when the extension goes. */
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'pgark_backup') THEN
        CREATE ROLE pgark_backup NOLOGIN;
    END IF;
END
$$;

GRANT USAGE ON SCHEMA pgark TO pgark_backup;

CREATE FUNCTION pgark.launch(kind text, key text, job jsonb) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'pgark_launch' LANGUAGE C VOLATILE STRICT;
COMMENT ON FUNCTION pgark.launch(text, text, jsonb) IS
    'starts the agent of that kind on this host and waits for its result';

/* One row per run, kind and node. Nobody writes here but through pgark.report and pgark.cancel. */
CREATE TABLE pgark.task (
    key text NOT NULL CHECK (key ~ '^[0-9]{14}$'),
    kind text NOT NULL CHECK (kind ~ '^[a-z_]{1,32}$'),
    node integer NOT NULL CHECK (node >= -1),
    role name NOT NULL,
    pid integer NOT NULL,
    phase text NOT NULL,
    started timestamp with time zone NOT NULL,
    updated timestamp with time zone NOT NULL,
    bytes bigint NOT NULL DEFAULT 0,
    bytes_total bigint NOT NULL DEFAULT 0,
    rows bigint NOT NULL DEFAULT 0,
    chunks bigint NOT NULL DEFAULT 0,
    chunks_total bigint NOT NULL DEFAULT 0,
    message text,
    outcome text CHECK (outcome IN ('finished', 'failed', 'cancelled')),
    cancelled boolean NOT NULL DEFAULT false,
    proceed boolean NOT NULL DEFAULT false,
    PRIMARY KEY (key, kind, node)
);
COMMENT ON TABLE pgark.task IS 'what agents do, and have done: one row per run, kind and node';
COMMENT ON COLUMN pgark.task.role IS 'the session user of the agent, who alone may go on with the row';
COMMENT ON COLUMN pgark.task.pid IS 'the server process of the session that the agent reports through';
COMMENT ON COLUMN pgark.task.outcome IS 'NULL while the agent works';
COMMENT ON COLUMN pgark.task.cancelled IS 'somebody asked the agent to stop';
COMMENT ON COLUMN pgark.task.proceed IS 'an agent that waits for the others may go on';
CREATE INDEX task_updated ON pgark.task (updated);

/* pgark.begin makes, or makes anew, the row of an agent that starts; it also notes which others died, and
 * forgets what is older than pgark.history_days (30 where nothing is set). */
CREATE FUNCTION pgark.begin(key text, kind text, node integer) RETURNS void
    LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    now timestamp with time zone := clock_timestamp();
    days text := current_setting('pgark.history_days', true);
BEGIN
    INSERT INTO pgark.task AS t (key, kind, node, role, pid, phase, started, updated)
        VALUES (begin.key, begin.kind, begin.node, session_user, pg_backend_pid(), 'starting', now, now)
        ON CONFLICT ON CONSTRAINT task_pkey DO UPDATE
        SET role = excluded.role, pid = excluded.pid, phase = excluded.phase,
            started = excluded.started, updated = excluded.updated, bytes = 0, bytes_total = 0,
            rows = 0, chunks = 0, chunks_total = 0, message = NULL, outcome = NULL, cancelled = false,
            proceed = false
        WHERE t.role = session_user OR t.outcome IS NOT NULL
            OR NOT EXISTS (SELECT FROM pg_stat_get_activity(t.pid));
    IF NOT FOUND THEN
        RAISE insufficient_privilege USING
            MESSAGE = format('another role''s agent works on key %s', begin.key);
    END IF;
    /* Agents that were killed could not say so. */
    UPDATE pgark.task t SET outcome = 'failed', message = 'the agent died'
        WHERE t.outcome IS NULL AND NOT EXISTS (SELECT FROM pg_stat_get_activity(t.pid));
    /* An agent that lives may not have been able to report for long, and wants its row when it is. */
    DELETE FROM pgark.task t WHERE t.outcome IS NOT NULL AND t.updated < now - make_interval(days =>
        CASE WHEN days ~ '^[0-9]{1,6}$' THEN days::integer ELSE 30 END);
END
$$;

/* pgark.report notes what an agent does, and gives what it was asked: 'cancel', 'proceed' or ''. That it may go on from
 * where it waits is over with the next phase. Without a notification where the
 * queue of the server is full: whoever waits also looks by himself. */
CREATE FUNCTION pgark.report(key text, kind text, node integer, phase text, progress bigint[],
                             message text, outcome text, notify boolean) RETURNS text
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    asked text;
BEGIN
    UPDATE pgark.task t
        SET phase = report.phase, updated = clock_timestamp(),
            bytes = coalesce(progress[1], t.bytes), bytes_total = coalesce(progress[2], t.bytes_total),
            rows = coalesce(progress[3], t.rows), chunks = coalesce(progress[4], t.chunks),
            chunks_total = coalesce(progress[5], t.chunks_total),
            message = report.message, outcome = report.outcome,
            proceed = t.proceed AND t.phase = report.phase
        WHERE t.key = report.key AND t.kind = report.kind AND t.node = report.node
            AND t.role = session_user
        RETURNING CASE WHEN t.cancelled THEN 'cancel' WHEN t.proceed THEN 'proceed' ELSE '' END
        INTO asked;
    IF NOT FOUND THEN
        RAISE insufficient_privilege USING
            MESSAGE = format('this role has no task of key %s here', report.key);
    END IF;
    IF notify THEN
        PERFORM pg_notify('pgark_' || report.key, report.node::text);
    END IF;
    RETURN asked;
END
$$;

/* pgark.cancel asks the agents of that key on this server to stop; returns how many there are. */
CREATE FUNCTION pgark.cancel(key text) RETURNS integer
    LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    count integer;
BEGIN
    UPDATE pgark.task t SET cancelled = true WHERE t.key = cancel.key AND t.outcome IS NULL;
    GET DIAGNOSTICS count = ROW_COUNT;
    PERFORM pg_notify('pgark_' || cancel.key, 'cancel') WHERE count > 0;
    RETURN count;
END
$$;
COMMENT ON FUNCTION pgark.cancel(text) IS 'asks the agents of that key on this server to stop';

/* pgark.proceed lets an agent go on from the phase in which it waits until all nodes are as far; only its own role does. */
CREATE FUNCTION pgark.proceed(key text, kind text, node integer) RETURNS void
    LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE pgark.task t SET proceed = true
        WHERE t.key = proceed.key AND t.kind = proceed.kind AND t.node = proceed.node
            AND t.role = session_user AND t.outcome IS NULL;
END
$$;

REVOKE ALL ON FUNCTION pgark.launch(text, text, jsonb), pgark.begin(text, text, integer),
    pgark.report(text, text, integer, text, bigint[], text, text, boolean),
    pgark.proceed(text, text, integer), pgark.cancel(text)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pgark.launch(text, text, jsonb), pgark.begin(text, text, integer),
    pgark.report(text, text, integer, text, bigint[], text, text, boolean),
    pgark.proceed(text, text, integer), pgark.cancel(text)
    TO pgark_backup;
GRANT SELECT ON pgark.task TO pgark_backup;

/* The functions of Greenplum's gp_dump and gp_restore, for who calls them by hand: where they are looked for
 * without naming a schema, which is public, or where that is gone, with the others. An object of the same name that
 * is there already is not replaced. */
DO $$
DECLARE
    place text := CASE WHEN to_regnamespace('public') IS NULL THEN 'pgark' ELSE 'public' END;
    signature text;
BEGIN
    EXECUTE format($f$
        CREATE FUNCTION %1$I.gp_backup_launch(directory text, key text, compressor text, passthrough text,
                                              credentials text) RETURNS text
            AS 'MODULE_PATHNAME', 'gp_backup_launch' LANGUAGE C VOLATILE;
        CREATE FUNCTION %1$I.gp_restore_launch(directory text, key text, decompressor text, passthrough text,
                                               credentials text, target_info text, target_dbid integer,
                                               on_error_stop boolean) RETURNS text
            AS 'MODULE_PATHNAME', 'gp_restore_launch' LANGUAGE C VOLATILE;
        CREATE FUNCTION %1$I.gp_read_backup_file(directory text, key text, filetype integer) RETURNS text
            AS 'MODULE_PATHNAME', 'gp_read_backup_file' LANGUAGE C VOLATILE
        $f$, place);
    FOREACH signature IN ARRAY ARRAY['gp_backup_launch(text, text, text, text, text)',
        'gp_restore_launch(text, text, text, text, text, text, integer, boolean)',
        'gp_read_backup_file(text, text, integer)']
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %1$I.%2$s FROM PUBLIC; GRANT EXECUTE ON FUNCTION %1$I.%2$s TO pgark_backup',
            place, signature);
    END LOOP;
END
$$;
