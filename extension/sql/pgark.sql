-- What the extension is made of, and what its functions refuse. No program is started here.
\set VERBOSITY terse
CREATE EXTENSION pgark;
SELECT pg_describe_object(d.classid, d.objid, 0) AS object FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
    WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'pgark'
    AND d.classid <> 'pg_type'::regclass ORDER BY 1;
SELECT extversion, extrelocatable, extnamespace::regnamespace FROM pg_extension WHERE extname = 'pgark';
ALTER EXTENSION pgark SET SCHEMA public;
ALTER EXTENSION pgark UPDATE;

-- launch: kinds, keys, jobs
SELECT pgark.launch('', '20261125120000', '{}');
SELECT pgark.launch('Backup', '20261125120000', '{}');
SELECT pgark.launch('../backup', '20261125120000', '{}');
SELECT pgark.launch(repeat('a', 33), '20261125120000', '{}');
SELECT pgark.launch('backup', '', '{}');
SELECT pgark.launch('backup', '2026112512000', '{}');
SELECT pgark.launch('backup', '20261125120000; reboot', '{}');
SELECT pgark.launch('backup', '$(reboot)00000', '{}');
SELECT pgark.launch('backup', E'2026112512000\n', '{}');
SELECT pgark.launch('backup', '20261125120000', '[]');
SELECT pgark.launch('backup', '20261125120000', '"text"');
SELECT pgark.launch('backup', '20261125120000', NULL) IS NULL AS strict;
SELECT pgark.launch('backup', '20261125120000', to_jsonb(repeat('x', 100 * 1024 * 1024)));
SELECT pgark.launch('backup', '20261125120000', jsonb_build_object('x', repeat('x', 100 * 1024 * 1024)));

-- launch: the program
SELECT pgark.launch('backup', '20261125120000', '{}');
SET pgark.program = 'pgark';
SELECT pgark.launch('backup', '20261125120000', '{}');
SET pgark.program = '/nonexistent/pgark';
SELECT pgark.launch('backup', '20261125120000', '{}');
SET pgark.program = '/usr';
SELECT pgark.launch('backup', '20261125120000', '{}');
SET pgark.program = '/etc/passwd';
SELECT pgark.launch('backup', '20261125120000', '{}');
SET pgark.program = '/dev/null';
SELECT pgark.launch('backup', '20261125120000', '{}');
-- one that ends with an error and a message, one without, one that succeeds and says nothing
SET pgark.program = '/bin/ls';
SELECT pgark.launch('backup', '20261125120000', '{}');
SET pgark.program = '/bin/false';
SELECT pgark.launch('backup', '20261125120000', '{}');
SET pgark.program = '/bin/true';
SELECT pgark.launch('backup', '20261125120000', '{}');
RESET pgark.program;

-- tasks
SELECT pgark.begin('20261125120000', 'backup', 3);
SELECT key, kind, node, role = session_user AS ours, phase, bytes, message, outcome, cancelled FROM pgark.task;
SELECT pgark.report('20261125120000', 'backup', 3, 'running', '{1,2,3,4,5}', 'table "a;b"', NULL, true);
SELECT phase, bytes, bytes_total, rows, chunks, chunks_total, message, outcome FROM pgark.task;
SELECT pgark.cancel('20261125120000');
SELECT pgark.cancel('20261125120001');
SELECT pgark.report('20261125120000', 'backup', 3, 'running', NULL, NULL, NULL, false);
SELECT bytes, message FROM pgark.task;
SELECT pgark.report('20261125120000', 'backup', 3, 'ended', NULL, NULL, 'cancelled', true);
SELECT pgark.cancel('20261125120000');
SELECT pgark.report('20261125120000', 'backup', 4, 'running', NULL, NULL, NULL, true);
SELECT pgark.report('20261125120000', 'backup', 3, 'running', NULL, NULL, 'happy', true);
SELECT pgark.begin('no key', 'backup', 0);
SELECT pgark.begin('20261125120000', 'backup', -2);
-- again, and pruned by age
SELECT pgark.begin('20261125120000', 'backup', 3);
SELECT phase, bytes, message, outcome, cancelled FROM pgark.task;
SELECT pgark.report('20261125120000', 'backup', 3, 'ended', NULL, NULL, 'finished', false);
UPDATE pgark.task SET updated = now() - interval '29 days';
SELECT pgark.begin('20261125120002', 'backup', 0);
SELECT key, outcome FROM pgark.task ORDER BY key;
-- what is too old goes with the next agent, but for an agent that lives; one that is dead is none
UPDATE pgark.task SET updated = now() - interval '31 days';
INSERT INTO pgark.task SELECT '20261125120001', kind, node, role, 2147483647, phase, started, updated FROM pgark.task WHERE key = '20261125120002';
SELECT pgark.begin('20261125120003', 'backup', 0);
SELECT key, outcome FROM pgark.task ORDER BY key;
SELECT pgark.report('20261125120002', 'backup', 0, 'ended', NULL, NULL, 'cancelled', false);
SELECT pgark.report('20261125120003', 'backup', 0, 'ended', NULL, NULL, 'finished', false);
-- another limit
SET pgark.history_days = 1;
UPDATE pgark.task SET updated = now() - interval '25 hours' WHERE key = '20261125120003';
SELECT pgark.begin('20261125120004', 'backup', 0);
SELECT key, outcome FROM pgark.task ORDER BY key;
DROP EXTENSION pgark;
SELECT rolname FROM pg_roles WHERE rolname = 'pgark_backup';
