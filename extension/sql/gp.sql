-- The functions of gp_dump and gp_restore: where they are, who may call them, what they refuse. No program is
-- started here.
\set VERBOSITY terse
CREATE EXTENSION pgark;
SELECT p.oid::regprocedure, has_function_privilege('pgark_backup', p.oid, 'EXECUTE') AS role,
    has_function_privilege('public', p.oid, 'EXECUTE') AS everybody
    FROM pg_proc p WHERE proname ~ '^gp_(backup|restore|read)' ORDER BY 1;

-- keys
SELECT gp_backup_launch('/tmp/dump', '', '', '', '');
SELECT gp_backup_launch('/tmp/dump', '2026112512000', '', '', '');
SELECT gp_backup_launch('/tmp/dump', '20261125120000_1_1_', '', '', '');
SELECT gp_backup_launch('/tmp/dump', '../../../../tmp', '', '', '');
SELECT gp_backup_launch('/tmp/dump', '$(reboot)00000', '', '', '');
SELECT gp_backup_launch('/tmp/dump', E'2026112512000\n', '', '', '');
SELECT gp_backup_launch('/tmp/dump', NULL, '', '', '');
-- directories
SELECT gp_backup_launch('/tmp/../etc', '20261125120000', '', '', '');
SELECT gp_backup_launch('..', '20261125120000', '', '', '');
SELECT gp_backup_launch('db_dumps/../..', '20261125120000', '', '', '');
SELECT gp_backup_launch('./x', '20261125120000', '', '', '');
SELECT gp_backup_launch('/tmp/a b', '20261125120000', '', '', '');
SELECT gp_backup_launch('/tmp/a;reboot', '20261125120000', '', '', '');
SELECT gp_backup_launch('/tmp/$(reboot)', '20261125120000', '', '', '');
SELECT gp_backup_launch('/tmp/`reboot`', '20261125120000', '', '', '');
SELECT gp_backup_launch('/tmp/''x', '20261125120000', '', '', '');
SELECT gp_backup_launch(E'/tmp/x\ny', '20261125120000', '', '', '');
SELECT gp_backup_launch('/' || repeat('x', 600), '20261125120000', '', '', '');
-- programs
SELECT gp_backup_launch('/tmp/dump', '20261125120000', 'rm', '', '');
SELECT gp_backup_launch('/tmp/dump', '20261125120000', 'gzip; reboot', '', '');
SELECT gp_backup_launch('/tmp/dump', '20261125120000', '/bin/gzip', '', '');
-- what is passed through
SELECT gp_backup_launch('/tmp/dump', '20261125120000', '', '-t a; reboot', '');
SELECT gp_backup_launch('/tmp/dump', '20261125120000', '', '-t $(reboot)', '');
SELECT gp_backup_launch('/tmp/dump', '20261125120000', '', '-t `reboot`', '');
SELECT gp_backup_launch('/tmp/dump', '20261125120000', '', '-t "a b"', '');
SELECT gp_backup_launch('/tmp/dump', '20261125120000', '', '-t ''a''', '');
SELECT gp_backup_launch('/tmp/dump', '20261125120000', '', E'-a\n-s', '');
SELECT gp_backup_launch('/tmp/dump', '20261125120000', '', '-a > /etc/passwd', '');
SELECT gp_backup_launch('/tmp/dump', '20261125120000', '', '-a | reboot', '');
SELECT gp_backup_launch('/tmp/dump', '20261125120000', '', repeat('-v ', 30000), '');
-- credentials
SELECT gp_backup_launch('/tmp/dump', '20261125120000', '', '', encode('\x6100', 'base64'));
SELECT gp_backup_launch('/tmp/dump', '20261125120000', '', '', encode('\xff', 'base64'));
-- all is well, but there is no program
SELECT gp_backup_launch('', '20261125120000', 'gzip', '-t public.a* -v', encode('secret', 'base64'));
SELECT gp_backup_launch(NULL, '20261125120000', NULL, NULL, NULL);

-- restores
SELECT gp_restore_launch('/tmp/..', '20261125120000', '', '', '', '', 1, true);
SELECT gp_restore_launch('/tmp', 'x', '', '', '', '', 1, true);
SELECT gp_restore_launch('/tmp', '20261125120000', 'cat', '', '', '', 1, true);
SELECT gp_restore_launch('/tmp', '20261125120000', '', '-a;', '', '', 1, true);
SELECT gp_restore_launch('/tmp', '20261125120000', '', '', '', '-h elsewhere', 1, true);
SELECT gp_restore_launch('/tmp', '20261125120000', '', '', '', '--target-port 1', 1, true);
SELECT gp_restore_launch('/tmp', '20261125120000', '', '', '', '--target-dbid=2', 1, true);
SELECT gp_restore_launch('/tmp', '20261125120000', '', '', '', '--target-host $(x)', 1, true);
SELECT gp_restore_launch('/tmp', '20261125120000', '', '', '', '', 2, true);
SELECT gp_restore_launch('/tmp', '20261125120000', 'gunzip', '', '', '--target-dbid 1 --target-host me', 1, true);

-- status files
SELECT gp_read_backup_file('/tmp/..', '20261125120000', 1);
SELECT gp_read_backup_file('/tmp', '../passwd', 1);
SELECT gp_read_backup_file('/tmp', '20261125120000', 0);
SELECT gp_read_backup_file('/tmp', '20261125120000', 3);
SELECT gp_read_backup_file('/tmp', '20261125120000', NULL);
SELECT gp_read_backup_file('/nonexistent', '20261125120000', 1);
SELECT gp_read_backup_file('/nonexistent', '20261125120000', 2);

-- who may
CREATE ROLE regress_gp_nobody;
SET ROLE regress_gp_nobody;
SELECT gp_backup_launch('/tmp/dump', '20261125120000', '', '', '');
SELECT gp_restore_launch('/tmp', '20261125120000', '', '', '', '', 1, true);
SELECT gp_read_backup_file('/tmp', '20261125120000', 1);
RESET ROLE;
DROP ROLE regress_gp_nobody;

-- a database without the schema public; one that has such a function already
DROP EXTENSION pgark;
DROP SCHEMA pgark;
ALTER SCHEMA public RENAME TO hidden;
CREATE EXTENSION pgark;
SELECT oid::regprocedure FROM pg_proc WHERE proname ~ '^gp_(backup|restore|read)' ORDER BY 1;
DROP EXTENSION pgark;
DROP SCHEMA pgark;
ALTER SCHEMA hidden RENAME TO public;
CREATE FUNCTION public.gp_read_backup_file(directory text, key text, filetype integer) RETURNS text
    LANGUAGE sql AS 'SELECT ''mine''';
CREATE EXTENSION pgark;
DROP FUNCTION public.gp_read_backup_file(text, text, integer);
