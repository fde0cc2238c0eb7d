-- Who may do what.
\set VERBOSITY terse
\set admin :USER
CREATE EXTENSION pgark;
CREATE ROLE regress_pgark_nobody LOGIN;
CREATE ROLE regress_pgark_one LOGIN IN ROLE pgark_backup;
CREATE ROLE regress_pgark_two LOGIN IN ROLE pgark_backup;

\c - regress_pgark_nobody
SELECT pgark.launch('backup', '20261125120000', '{}');
SELECT pgark.cancel('20261125120000');
SELECT pgark.begin('20261125120000', 'backup', 0);
SELECT pgark.report('20261125120000', 'backup', 0, 'x', NULL, NULL, NULL, true);
SELECT * FROM pgark.task;
SET pgark.program = '/bin/true';
SHOW pgark.program;

\c - regress_pgark_one
SET pgark.program = '/bin/true';
SHOW pgark.program;
SELECT pgark.launch('backup', '20261125120000', '{}');
-- what fills directories anywhere takes more: of the session's role and of who calls it
SELECT pgark.launch('restore_physical', '20261125120000', '{}');
INSERT INTO pgark.task SELECT * FROM pgark.task;
UPDATE pgark.task SET cancelled = true;
DELETE FROM pgark.task;
SELECT pgark.begin('20261125120000', 'backup', 0);

\c - regress_pgark_two
-- a living agent of another role's: neither taken over nor reported for, but it may be cancelled
SELECT pgark.report('20261125120000', 'backup', 0, 'forged', NULL, NULL, 'finished', true);
SELECT phase, outcome FROM pgark.task;
SELECT pgark.cancel('20261125120000');
-- its session is gone: a new run may have the key
SELECT pgark.begin('20261125120000', 'backup', 0);
SELECT role, cancelled FROM pgark.task;
-- names that a search_path leads elsewhere are not looked up
CREATE TEMP TABLE task (key text);
CREATE FUNCTION pg_temp.pg_notify(text, text) RETURNS void LANGUAGE sql AS 'SELECT 1/0';
SET search_path = pg_temp, pg_catalog;
SELECT pgark.report('20261125120000', 'backup', 0, 'running', NULL, NULL, NULL, true);

\c - regress_pgark_nobody
SET ROLE pgark_backup;

\c - :admin
SET pgark.program = '/bin/true';
SET ROLE regress_pgark_two;
SELECT pgark.launch('restore_physical', '20261125120000', '{}');
RESET ROLE;
GRANT pg_write_server_files TO regress_pgark_two;
SET ROLE regress_pgark_two;
SELECT pgark.launch('restore_physical', '20261125120000', '{}');
RESET ROLE;
\c - regress_pgark_two
SELECT pgark.launch('restore_physical', '20261125120000', '{}');
\c - :admin
-- the leave to go on is for the phase in which it was given
SELECT pgark.begin('20261125120009', 'backup', 0);
SELECT pgark.report('20261125120009', 'backup', 0, 'checked', NULL, NULL, NULL, false);
SELECT pgark.proceed('20261125120009', 'backup', 0);
SELECT pgark.report('20261125120009', 'backup', 0, 'checked', NULL, NULL, NULL, false);
SELECT pgark.report('20261125120009', 'backup', 0, 'written', NULL, NULL, NULL, false);
SELECT pgark.proceed('20261125120009', 'backup', 0);
SELECT pgark.report('20261125120009', 'backup', 0, 'written', NULL, NULL, NULL, false);
DROP EXTENSION pgark;
DROP ROLE regress_pgark_nobody, regress_pgark_one, regress_pgark_two;
