-- everything.sql - a database with at least one object of every kind that pg_dump knows, in the forms
-- that are easily lost: options, states, comments, owners and privileges, and orders of creation that
-- are not the alphabet's.
--
-- Run by psql in an empty UTF8 database, by a superuser. The server has the roles ev_owner, ev_reader,
-- "Ev Writer" and ev_super (a superuser), and the tablespace ev_space. What a version does not have is left out by \if.
\set ON_ERROR_STOP on
SELECT current_setting('server_version_num')::int >= 140000 AS v14,
       current_setting('server_version_num')::int >= 150000 AS v15,
       current_setting('server_version_num')::int >= 160000 AS v16,
       current_setting('server_version_num')::int >= 170000 AS v17,
       current_setting('server_version_num')::int >= 180000 AS v18,
       current_database() AS this \gset
SET check_function_bodies = on;
SET client_min_messages = error;

-- ---- schemas and default privileges ----------------------------------------------------------------

CREATE SCHEMA ev AUTHORIZATION ev_owner;
CREATE SCHEMA "Ev ""quoted"" schema";
CREATE SCHEMA ev_ext;
CREATE SCHEMA ev_empty;
CREATE SCHEMA ev_kept_order;
COMMENT ON SCHEMA ev IS 'where everything is';
COMMENT ON SCHEMA public IS 'a comment of our own';
GRANT USAGE, CREATE ON SCHEMA ev TO ev_reader WITH GRANT OPTION;
GRANT USAGE ON SCHEMA "Ev ""quoted"" schema" TO PUBLIC;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO ev_reader;

ALTER DEFAULT PRIVILEGES FOR ROLE ev_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE ev_owner IN SCHEMA ev GRANT SELECT ON TABLES TO ev_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE ev_owner IN SCHEMA ev GRANT USAGE ON SEQUENCES TO "Ev Writer";
ALTER DEFAULT PRIVILEGES FOR ROLE ev_owner REVOKE USAGE ON TYPES FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE ev_owner GRANT USAGE ON SCHEMAS TO ev_reader;

SET search_path = ev, public;

-- ---- extensions ------------------------------------------------------------------------------------

CREATE EXTENSION hstore SCHEMA ev_ext;
CREATE EXTENSION pg_trgm SCHEMA ev_ext;
CREATE EXTENSION citext SCHEMA public;
CREATE EXTENSION btree_gist SCHEMA public;
CREATE EXTENSION postgres_fdw SCHEMA ev_ext;
CREATE EXTENSION file_fdw SCHEMA ev_ext;
COMMENT ON EXTENSION hstore IS 'keys and values, by our own words';
REVOKE EXECUTE ON FUNCTION ev_ext.hstore(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ev_ext.hstore(text, text) TO ev_reader;

-- ---- languages, transforms -------------------------------------------------------------------------

-- The handlers are not those of the extension: pg_dump has no name for a member of an extension here.
CREATE FUNCTION ev_call() RETURNS language_handler LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler';
CREATE FUNCTION ev_inline(internal) RETURNS void LANGUAGE c STRICT
    AS '$libdir/plpgsql', 'plpgsql_inline_handler';
CREATE FUNCTION ev_validator(oid) RETURNS void LANGUAGE c STRICT
    AS '$libdir/plpgsql', 'plpgsql_validator';
CREATE LANGUAGE ev_lang HANDLER ev_call INLINE ev_inline VALIDATOR ev_validator;
CREATE TRUSTED LANGUAGE ev_trusted HANDLER ev_call;
ALTER LANGUAGE ev_lang OWNER TO ev_owner;
COMMENT ON LANGUAGE ev_lang IS 'another name of plpgsql';
GRANT USAGE ON LANGUAGE ev_trusted TO ev_reader;
REVOKE USAGE ON LANGUAGE ev_trusted FROM PUBLIC;
CREATE TRANSFORM FOR int LANGUAGE ev_lang
    (FROM SQL WITH FUNCTION prsd_lextype(internal), TO SQL WITH FUNCTION int4recv(internal));
COMMENT ON TRANSFORM FOR int LANGUAGE ev_lang IS 'a transform';

-- ---- types -----------------------------------------------------------------------------------------

CREATE TYPE never_defined;
CREATE TYPE twice;
CREATE FUNCTION twice_in(cstring) RETURNS twice LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
CREATE FUNCTION twice_out(twice) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out';
CREATE FUNCTION twice_recv(internal) RETURNS twice LANGUAGE internal IMMUTABLE STRICT AS 'int4recv';
CREATE FUNCTION twice_send(twice) RETURNS bytea LANGUAGE internal IMMUTABLE STRICT AS 'int4send';
CREATE TYPE twice (INPUT = twice_in, OUTPUT = twice_out, RECEIVE = twice_recv, SEND = twice_send,
    LIKE = int4, CATEGORY = 'N', PREFERRED = false, DELIMITER = ';', COLLATABLE = false, DEFAULT = '42');
CREATE TYPE mood AS ENUM ('sad', 'it''s ok', 'happy');
ALTER TYPE mood ADD VALUE 'between' BEFORE 'happy';
CREATE TYPE no_mood AS ENUM ();
CREATE TYPE place AS (street text COLLATE "C", "House Number" int, mood mood);
COMMENT ON COLUMN place.street IS 'of an attribute';
COMMENT ON TYPE place IS 'of a composite type';
CREATE TYPE nothing AS ();
CREATE FUNCTION day_distance(date, date) RETURNS float8 LANGUAGE sql IMMUTABLE
    AS 'SELECT ($1 - $2)::float8';
CREATE TYPE days AS RANGE (subtype = date, subtype_diff = day_distance);
CREATE TYPE text_span AS RANGE (subtype = text, collation = "C");
\if :v14
CREATE TYPE renamed_span AS RANGE (subtype = float8, multirange_type_name = "many Spans");
\endif
CREATE DOMAIN positive AS int CONSTRAINT above_zero CHECK (value > 0) DEFAULT 7;
CREATE DOMAIN short_text AS varchar(10) COLLATE "C" NOT NULL;
CREATE DOMAIN of_domain AS positive CHECK (value < 1000);
CREATE DOMAIN unchecked AS text;
ALTER DOMAIN unchecked ADD CONSTRAINT later CHECK (value <> '') NOT VALID;
COMMENT ON DOMAIN positive IS 'of a domain';
COMMENT ON CONSTRAINT above_zero ON DOMAIN positive IS 'of its constraint';
ALTER TYPE mood OWNER TO ev_owner;
ALTER DOMAIN positive OWNER TO ev_owner;
GRANT USAGE ON TYPE mood TO ev_reader WITH GRANT OPTION;
REVOKE USAGE ON DOMAIN positive FROM PUBLIC;

-- ---- collations, conversions -----------------------------------------------------------------------

CREATE COLLATION ev_c FROM "C";
CREATE COLLATION ev_posix (locale = 'C');
SELECT EXISTS (SELECT FROM pg_collation WHERE collprovider = 'i') AS icu \gset
\if :icu
CREATE COLLATION ev_numeric (provider = icu, locale = 'en-u-kn-true');
CREATE COLLATION ev_ignore_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
\if :v16
CREATE COLLATION ev_rules (provider = icu, locale = 'und', rules = '&a < g');
\endif
\endif
\if :v17
CREATE COLLATION ev_builtin (provider = builtin, locale = 'C.UTF-8');
\endif
COMMENT ON COLLATION ev_c IS 'of a collation';
ALTER COLLATION ev_c OWNER TO ev_owner;
CREATE DEFAULT CONVERSION ev_conversion FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
COMMENT ON CONVERSION ev_conversion IS 'of a conversion';

-- ---- functions, procedures, aggregates -------------------------------------------------------------

CREATE FUNCTION plus(a int, b int DEFAULT 1, VARIADIC rest int[] DEFAULT '{}') RETURNS int
    LANGUAGE sql IMMUTABLE PARALLEL SAFE LEAKPROOF COST 7
    AS $$ SELECT $1 + $2 + coalesce((SELECT sum(r)::int FROM unnest($3) r), 0) $$;
CREATE FUNCTION rows_of(OUT n int, OUT t text) RETURNS SETOF record LANGUAGE plpgsql STABLE STRICT
    SECURITY DEFINER ROWS 3 SET search_path = ev, pg_temp SET work_mem = '8MB'
    AS $body$
BEGIN
    RETURN QUERY SELECT i, 'x; -- not a comment $$' || i FROM generate_series(1, 3) i;
END
$body$;
CREATE FUNCTION table_of(int) RETURNS TABLE (a int, b mood) LANGUAGE sql
    AS 'SELECT $1, ''sad''::ev.mood';
CREATE FUNCTION "Odd ""name"""("Argument x" text) RETURNS text LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION numbered() RETURNS bigint LANGUAGE internal WINDOW IMMUTABLE AS 'window_row_number';
CREATE PROCEDURE do_it(INOUT x int) LANGUAGE plpgsql AS 'BEGIN x := x + 1; END';
\if :v14
CREATE FUNCTION standard_body(a int) RETURNS int LANGUAGE sql IMMUTABLE RETURN a + 1;
CREATE FUNCTION atomic_body(a int) RETURNS SETOF int LANGUAGE sql
    BEGIN ATOMIC
        SELECT standard_body(a);
        SELECT i FROM generate_series(1, a) i;
    END;
CREATE PROCEDURE out_procedure(a int, OUT x int) LANGUAGE sql BEGIN ATOMIC SELECT a * 2; END;
\endif
ALTER FUNCTION rows_of() OWNER TO ev_owner;
COMMENT ON FUNCTION plus(int, int, int[]) IS 'of a function';
COMMENT ON PROCEDURE do_it(int) IS 'of a procedure';
REVOKE EXECUTE ON FUNCTION plus(int, int, int[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION plus(int, int, int[]) TO ev_reader WITH GRANT OPTION;
GRANT EXECUTE ON PROCEDURE do_it(int) TO "Ev Writer";

CREATE AGGREGATE total(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0', COMBINEFUNC = int4pl,
    MSFUNC = int4pl, MINVFUNC = int4mi, MSTYPE = int, MINITCOND = '0', PARALLEL = SAFE);
CREATE AGGREGATE smallest(int) (SFUNC = int4smaller, STYPE = int, SORTOP = <);
CREATE AGGREGATE middle(float8 ORDER BY anyelement) (SFUNC = ordered_set_transition,
    STYPE = internal, FINALFUNC = percentile_disc_final, FINALFUNC_EXTRA);
CREATE AGGREGATE place_in(VARIADIC "any" ORDER BY VARIADIC "any") (SFUNC = ordered_set_transition_multi,
    STYPE = internal, FINALFUNC = rank_final, FINALFUNC_EXTRA, HYPOTHETICAL);
COMMENT ON AGGREGATE total(int) IS 'of an aggregate';
ALTER AGGREGATE total(int) OWNER TO ev_owner;

-- ---- operators, classes, families, casts, access methods -------------------------------------------

CREATE FUNCTION twice_less(twice, twice) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'int4lt';
CREATE FUNCTION twice_le(twice, twice) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'int4le';
CREATE FUNCTION twice_eq(twice, twice) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'int4eq';
CREATE FUNCTION twice_ne(twice, twice) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'int4ne';
CREATE FUNCTION twice_ge(twice, twice) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'int4ge';
CREATE FUNCTION twice_more(twice, twice) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'int4gt';
CREATE FUNCTION twice_cmp(twice, twice) RETURNS int LANGUAGE internal IMMUTABLE STRICT AS 'btint4cmp';
CREATE FUNCTION twice_hash(twice) RETURNS int LANGUAGE internal IMMUTABLE STRICT AS 'hashint4';
CREATE FUNCTION twice_cmp8(twice, int8) RETURNS int LANGUAGE internal IMMUTABLE STRICT AS 'btint48cmp';
CREATE FUNCTION twice_eq8(twice, int8) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'int48eq';
CREATE OPERATOR < (FUNCTION = twice_less, LEFTARG = twice, RIGHTARG = twice, COMMUTATOR = >,
    NEGATOR = >=, RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
CREATE OPERATOR <= (FUNCTION = twice_le, LEFTARG = twice, RIGHTARG = twice, COMMUTATOR = >=,
    NEGATOR = >, RESTRICT = scalarlesel, JOIN = scalarlejoinsel);
CREATE OPERATOR = (FUNCTION = twice_eq, LEFTARG = twice, RIGHTARG = twice, COMMUTATOR = =,
    NEGATOR = <>, RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
CREATE OPERATOR <> (FUNCTION = twice_ne, LEFTARG = twice, RIGHTARG = twice, COMMUTATOR = <>,
    NEGATOR = =, RESTRICT = neqsel, JOIN = neqjoinsel);
CREATE OPERATOR >= (FUNCTION = twice_ge, LEFTARG = twice, RIGHTARG = twice, COMMUTATOR = <=,
    NEGATOR = <, RESTRICT = scalargesel, JOIN = scalargejoinsel);
CREATE OPERATOR > (FUNCTION = twice_more, LEFTARG = twice, RIGHTARG = twice, COMMUTATOR = <,
    NEGATOR = <=, RESTRICT = scalargtsel, JOIN = scalargtjoinsel);
CREATE OPERATOR = (FUNCTION = twice_eq8, LEFTARG = twice, RIGHTARG = int8);
CREATE OPERATOR |~%| (FUNCTION = int4um, RIGHTARG = int);
CREATE OPERATOR FAMILY twice_ops USING btree;
CREATE OPERATOR CLASS twice_ops DEFAULT FOR TYPE twice USING btree FAMILY twice_ops AS
    OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >,
    FUNCTION 1 twice_cmp(twice, twice);
ALTER OPERATOR FAMILY twice_ops USING btree ADD OPERATOR 3 = (twice, int8),
    FUNCTION 1 (twice, int8) twice_cmp8(twice, int8);
CREATE OPERATOR CLASS twice_hash_ops DEFAULT FOR TYPE twice USING hash AS
    OPERATOR 1 =, FUNCTION 1 twice_hash(twice);
CREATE OPERATOR FAMILY empty_family USING gist;
COMMENT ON OPERATOR <= (twice, twice) IS 'of an operator';
COMMENT ON OPERATOR CLASS twice_ops USING btree IS 'of a class';
COMMENT ON OPERATOR FAMILY empty_family USING gist IS 'of a family';
ALTER OPERATOR = (twice, int8) OWNER TO ev_owner;
ALTER OPERATOR FAMILY empty_family USING gist OWNER TO ev_owner;

CREATE FUNCTION mood_number(mood) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT length($1::text)';
CREATE CAST (mood AS int) WITH FUNCTION mood_number(mood) AS ASSIGNMENT;
CREATE CAST (twice AS int) WITHOUT FUNCTION AS IMPLICIT;
CREATE CAST (int AS twice) WITHOUT FUNCTION AS IMPLICIT;
CREATE CAST (place AS varchar) WITH INOUT;
COMMENT ON CAST (mood AS int) IS 'of a cast';

CREATE ACCESS METHOD ev_heap TYPE TABLE HANDLER heap_tableam_handler;
CREATE ACCESS METHOD ev_gist TYPE INDEX HANDLER gisthandler;
COMMENT ON ACCESS METHOD ev_heap IS 'of an access method';

-- ---- text search -----------------------------------------------------------------------------------

CREATE TEXT SEARCH PARSER ev_parser (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end,
    LEXTYPES = prsd_lextype, HEADLINE = prsd_headline);
CREATE TEXT SEARCH TEMPLATE ev_template (INIT = dsimple_init, LEXIZE = dsimple_lexize);
CREATE TEXT SEARCH DICTIONARY ev_dictionary (TEMPLATE = ev_template, STOPWORDS = english, accept = false);
CREATE TEXT SEARCH CONFIGURATION ev_configuration (PARSER = ev_parser);
ALTER TEXT SEARCH CONFIGURATION ev_configuration ADD MAPPING FOR word, asciiword
    WITH ev_dictionary, simple;
ALTER TEXT SEARCH CONFIGURATION ev_configuration ADD MAPPING FOR email WITH simple;
COMMENT ON TEXT SEARCH PARSER ev_parser IS 'of a parser';
COMMENT ON TEXT SEARCH TEMPLATE ev_template IS 'of a template';
COMMENT ON TEXT SEARCH DICTIONARY ev_dictionary IS 'of a dictionary';
COMMENT ON TEXT SEARCH CONFIGURATION ev_configuration IS 'of a configuration';
ALTER TEXT SEARCH DICTIONARY ev_dictionary OWNER TO ev_owner;
ALTER TEXT SEARCH CONFIGURATION ev_configuration OWNER TO ev_owner;

-- ---- tables ----------------------------------------------------------------------------------------

CREATE TABLE customer (
    id int GENERATED ALWAYS AS IDENTITY (START 100 INCREMENT 10) PRIMARY KEY,
    name public.citext NOT NULL,
    mood mood DEFAULT 'it''s ok',
    home place,
    tags ev_ext.hstore,
    weight positive,
    doubled twice DEFAULT 21,
    life days,
    loud text GENERATED ALWAYS AS (upper(name::text)) STORED,
    note text COLLATE "C" DEFAULT 'a; -- b',
    words tsvector,
    reference uuid DEFAULT '00000000-0000-0000-0000-000000000001',
    CONSTRAINT name_length CHECK (length(name::text) < 100) NO INHERIT,
    CONSTRAINT once UNIQUE (name) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT apart EXCLUDE USING gist (life WITH &&, id WITH =) WHERE (weight > 0)
) WITH (fillfactor = 70, autovacuum_enabled = false, toast.autovacuum_enabled = false);
INSERT INTO customer (name, mood, home, tags, weight, life, words)
    SELECT 'Customer ' || i, (enum_range(NULL::mood))[1 + i % 4], ('Street ' || i, i, 'sad')::place,
        ev_ext.hstore('k' || i, 'v "quoted"'), 1 + i % 20, days('2020-01-01', date '2020-01-02' + i),
        to_tsvector('simple', 'the word ' || i)
    FROM generate_series(1, 300) i;
ALTER TABLE customer ALTER note SET STATISTICS 500, ALTER note SET STORAGE EXTERNAL,
    ALTER name SET (n_distinct = -0.5, n_distinct_inherited = 10);
\if :v14
ALTER TABLE customer ALTER words SET COMPRESSION pglz;
\endif
COMMENT ON TABLE customer IS E'of a table, with a ''quote'', a \\ and\na new line';
COMMENT ON COLUMN customer.name IS 'of a column';
COMMENT ON CONSTRAINT once ON customer IS 'of a constraint';
CREATE INDEX customer_mood ON customer (mood DESC NULLS LAST) INCLUDE (weight) WITH (fillfactor = 60)
    WHERE weight > 2;
CREATE INDEX customer_words ON customer USING gin (words) WITH (fastupdate = off);
CREATE INDEX customer_trgm ON customer USING gin ((name::text) ev_ext.gin_trgm_ops);
CREATE INDEX customer_doubled ON customer (doubled twice_ops, (plus(id, 2)), note COLLATE "POSIX" text_pattern_ops);
CREATE INDEX customer_hash ON customer USING hash (doubled);
CREATE INDEX customer_brin ON customer USING brin (id) WITH (pages_per_range = 4);
CREATE INDEX customer_spgist ON customer USING spgist (note);
CREATE UNIQUE INDEX customer_reference ON customer (id, reference) TABLESPACE ev_space;
ALTER INDEX customer_doubled ALTER COLUMN 2 SET STATISTICS 200;
COMMENT ON INDEX customer_mood IS 'of an index';
CLUSTER customer USING customer_pkey;
ALTER TABLE customer REPLICA IDENTITY USING INDEX customer_pkey;
ALTER TABLE customer OWNER TO ev_owner;
GRANT SELECT, INSERT ON customer TO ev_reader WITH GRANT OPTION;
GRANT UPDATE (note, mood), REFERENCES (id) ON customer TO "Ev Writer";
REVOKE TRUNCATE ON customer FROM ev_owner;
\if :v17
GRANT MAINTAIN ON customer TO "Ev Writer";
\endif

CREATE STATISTICS ev_stat (ndistinct, dependencies, mcv) ON mood, weight FROM customer;
\if :v14
CREATE STATISTICS ev_stat_expression ON (lower(note)), (weight + 1) FROM customer;
\endif
ALTER STATISTICS ev_stat SET STATISTICS 300;
ALTER STATISTICS ev_stat OWNER TO ev_owner;
COMMENT ON STATISTICS ev_stat IS 'of statistics';

-- references in circles, to itself, in every mode; one that existing rows violate
CREATE TABLE hen (id int PRIMARY KEY, egg int, mother int REFERENCES hen ON DELETE SET NULL);
CREATE TABLE egg (id int PRIMARY KEY, hen int CONSTRAINT laid_by REFERENCES hen ON UPDATE CASCADE
    DEFERRABLE INITIALLY DEFERRED);
INSERT INTO hen SELECT i, i, nullif(i - 1, 0) FROM generate_series(1, 50) i;
INSERT INTO egg SELECT i, 51 - i FROM generate_series(1, 50) i;
ALTER TABLE hen ADD CONSTRAINT hatched_from FOREIGN KEY (egg) REFERENCES egg MATCH FULL
    ON DELETE SET DEFAULT;
CREATE TABLE orphan (hen int, t text);
INSERT INTO orphan VALUES (1, 'no'), (99, 'yes');
ALTER TABLE orphan ADD CONSTRAINT not_checked FOREIGN KEY (hen) REFERENCES hen NOT VALID;
ALTER TABLE orphan ADD CONSTRAINT no_length CHECK (length(t) > 2) NOT VALID;
\if :v15
CREATE TABLE one_null (a int, b int, UNIQUE NULLS NOT DISTINCT (a));
INSERT INTO one_null VALUES (NULL, 1), (1, NULL);
CREATE TABLE two_keys (a int, b int, hen int, FOREIGN KEY (hen) REFERENCES hen ON DELETE SET NULL (hen));
\endif

-- typed, unlogged, elsewhere, of another access method, without columns, oddly named
CREATE TABLE typed OF place (street NOT NULL, PRIMARY KEY (street));
INSERT INTO typed VALUES ('Long Street', 1, 'happy'), ('Short Street', 2, NULL);
CREATE UNLOGGED TABLE unlogged (id serial, t text);
INSERT INTO unlogged (t) SELECT 'u' || i FROM generate_series(1, 20) i;
CREATE TABLE elsewhere (id int PRIMARY KEY USING INDEX TABLESPACE ev_space, t text) TABLESPACE ev_space;
INSERT INTO elsewhere SELECT i, repeat('e', i) FROM generate_series(1, 100) i;
CREATE TABLE by_method (id int, t text) USING ev_heap;
INSERT INTO by_method SELECT i, 'm' FROM generate_series(1, 100) i;
CREATE TABLE no_columns ();
INSERT INTO no_columns DEFAULT VALUES;
CREATE TABLE "Ev ""quoted"" schema"."Table ""x"" \ 'y' é" ("Column one" int, """" text, "select" int);
INSERT INTO "Ev ""quoted"" schema"."Table ""x"" \ 'y' é" VALUES (1, '"', 2);
COMMENT ON TABLE "Ev ""quoted"" schema"."Table ""x"" \ 'y' é" IS 'odd';
CREATE TABLE dropped (gone int, kept int DEFAULT 5, gone2 text);
INSERT INTO dropped VALUES (1, 2, 'x'), (3, 4, 'y');
ALTER TABLE dropped DROP gone, DROP gone2, ADD later text DEFAULT 'filled in';
CREATE TABLE full_identity (a int);
ALTER TABLE full_identity REPLICA IDENTITY FULL;
CREATE TABLE no_identity (a int);
ALTER TABLE no_identity REPLICA IDENTITY NOTHING;
CREATE INDEX half_done ON no_identity (a);
CREATE TABLE secret_types (t regtype, c regclass, r regrole, m mood[], p place[], x xml, o oid);
INSERT INTO secret_types VALUES ('ev.mood', 'ev.customer', 'ev_owner', '{sad,happy}',
    ARRAY[('a', 1, 'sad')::place], '<a>b</a>', 1);

-- inheritance: columns merged, constraints inherited and not
CREATE TABLE parent (id int NOT NULL, t text DEFAULT 'p', CONSTRAINT low CHECK (id < 1000),
    CONSTRAINT alone CHECK (id <> 13) NO INHERIT);
CREATE TABLE uncle (id int, u text);
CREATE TABLE child (more int, t text DEFAULT 'c') INHERITS (parent, uncle);
CREATE TABLE grandchild (LIKE uncle INCLUDING ALL, PRIMARY KEY (id)) INHERITS (child);
INSERT INTO parent VALUES (1);
INSERT INTO child (id, u, more) VALUES (2, 'u', 3);
INSERT INTO grandchild (id, u) VALUES (3, 'g');
ALTER TABLE child ALTER id SET DEFAULT 77;

-- partitions: nested, default, attached in another column order, with indexes and keys of their own (none
-- by the hash of an enum: its rows lie elsewhere in every new database, so there is nothing to compare)
CREATE TABLE sale (at date NOT NULL, region text NOT NULL, n int, amount numeric(10, 2),
    customer int REFERENCES customer, CONSTRAINT some_of_it CHECK (n >= 0)) PARTITION BY RANGE (at);
CREATE TABLE sale_old PARTITION OF sale FOR VALUES FROM (MINVALUE) TO ('2020-01-01');
CREATE TABLE sale_new PARTITION OF sale FOR VALUES FROM ('2020-01-01') TO ('2030-01-01')
    PARTITION BY LIST (region);
CREATE TABLE sale_new_north PARTITION OF sale_new FOR VALUES IN ('north', 'east') TABLESPACE ev_space;
CREATE TABLE sale_new_rest (extra int, amount numeric(10, 2), customer int, n int,
    region text NOT NULL, at date NOT NULL, CONSTRAINT some_of_it CHECK (n >= 0));
ALTER TABLE sale_new_rest DROP extra;
ALTER TABLE sale_new ATTACH PARTITION sale_new_rest DEFAULT;
CREATE TABLE sale_later PARTITION OF sale (amount DEFAULT 9.99) DEFAULT WITH (fillfactor = 50);
ALTER TABLE sale ADD PRIMARY KEY (at, region, n);
CREATE INDEX sale_customer ON sale (customer);
CREATE INDEX sale_only ON ONLY sale (amount);
CREATE INDEX sale_old_only ON sale_old (amount);
ALTER INDEX sale_only ATTACH PARTITION sale_old_only;
CREATE INDEX sale_old_own ON sale_old (n);
INSERT INTO sale SELECT date '2015-01-01' + i * 20, (ARRAY['north', 'south', 'east', 'west'])[1 + i % 4],
    i, i / 7.0, 100 + 10 * (i % 300) FROM generate_series(1, 500) i;
COMMENT ON TABLE sale_new IS 'of a partition';
CREATE TABLE by_hash (k text, n int) PARTITION BY HASH (k text_pattern_ops, (n + 1));
CREATE TABLE by_hash_0 PARTITION OF by_hash FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE by_hash_1 PARTITION OF by_hash FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO by_hash SELECT 'k' || i, i FROM generate_series(1, 100) i;
CREATE TABLE refers (at date, region text, n int, FOREIGN KEY (at, region, n) REFERENCES sale)
    PARTITION BY LIST (region);
CREATE TABLE refers_all PARTITION OF refers DEFAULT;
INSERT INTO refers SELECT at, region, n FROM sale WHERE n % 5 = 0;
CREATE TABLE nothing_below (a int) PARTITION BY RANGE (a);
\if :v17
CREATE TABLE counted (id int GENERATED ALWAYS AS IDENTITY, k int) PARTITION BY RANGE (k);
CREATE TABLE counted_low PARTITION OF counted FOR VALUES FROM (0) TO (100);
INSERT INTO counted (k) SELECT i FROM generate_series(1, 50) i;
CREATE TABLE method_below (a int) PARTITION BY LIST (a) USING ev_heap;
CREATE TABLE method_below_1 PARTITION OF method_below FOR VALUES IN (1);
INSERT INTO method_below VALUES (1);
CREATE TABLE no_overlap (k int, life days, EXCLUDE USING gist (k WITH =, life WITH &&)) PARTITION BY LIST (k);
CREATE TABLE no_overlap_1 PARTITION OF no_overlap FOR VALUES IN (1);
\endif
\if :v18
CREATE TABLE computed (a int, b int GENERATED ALWAYS AS (a * 2) VIRTUAL, c int GENERATED ALWAYS AS (a * 3) STORED,
    d text DEFAULT 'd', e text GENERATED ALWAYS AS (d || 'e'));
INSERT INTO computed (a) SELECT i FROM generate_series(1, 100) i;
CREATE TABLE only_computed (b int GENERATED ALWAYS AS (1) VIRTUAL);
INSERT INTO only_computed DEFAULT VALUES;
CREATE TABLE not_nulls (a int CONSTRAINT must_be NOT NULL, b int NOT NULL NO INHERIT, c int);
INSERT INTO not_nulls VALUES (1, 2, NULL);
ALTER TABLE not_nulls ADD CONSTRAINT from_now_on NOT NULL c NOT VALID;
COMMENT ON CONSTRAINT must_be ON not_nulls IS 'of a not null constraint';
CREATE TABLE not_nulls_below (c int) INHERITS (not_nulls);
CREATE TABLE not_enforced (a int CONSTRAINT wished CHECK (a > 0) NOT ENFORCED,
    h int CONSTRAINT wished_too REFERENCES hen NOT ENFORCED);
INSERT INTO not_enforced VALUES (-1, 12345);
CREATE TABLE lives (id int, life daterange, CONSTRAINT one_life PRIMARY KEY (id, life WITHOUT OVERLAPS));
CREATE TABLE lives_refer (id int, life daterange,
    FOREIGN KEY (id, PERIOD life) REFERENCES lives (id, PERIOD life));
INSERT INTO lives VALUES (1, '[2020-01-01,2021-01-01)'), (1, '[2021-01-01,2022-01-01)');
INSERT INTO lives_refer VALUES (1, '[2020-06-01,2021-06-01)');
\endif

-- ---- sequences -------------------------------------------------------------------------------------

CREATE SEQUENCE untouched;
CREATE SEQUENCE used AS smallint INCREMENT BY -3 MINVALUE -100 MAXVALUE 50 START 40 CACHE 5 CYCLE;
SELECT nextval('used'), nextval('used');
CREATE SEQUENCE owned OWNED BY hen.egg;
SELECT setval('owned', 1234, false);
\if :v15
CREATE UNLOGGED SEQUENCE unlogged_sequence;
SELECT nextval('unlogged_sequence');
\endif
COMMENT ON SEQUENCE used IS 'of a sequence';
ALTER SEQUENCE used OWNER TO ev_owner;
GRANT USAGE, SELECT ON SEQUENCE used TO "Ev Writer";
CREATE TABLE defaults_from (id int DEFAULT nextval('untouched'), n int DEFAULT plus(1, 2, 3));

-- ---- views, rules ----------------------------------------------------------------------------------

-- named so that the alphabet is the wrong order
CREATE VIEW z_base WITH (security_barrier = true) AS SELECT id, name, mood FROM customer WHERE weight < 5;
CREATE VIEW a_above AS SELECT mood, count(*) AS n FROM z_base GROUP BY mood;
CREATE VIEW checked AS SELECT * FROM hen WHERE id > 0 WITH LOCAL CHECK OPTION;
CREATE VIEW checked_too AS SELECT * FROM checked WHERE id < 1000 WITH CASCADED CHECK OPTION;
CREATE RECURSIVE VIEW counting (n) AS VALUES (1) UNION ALL SELECT n + 1 FROM counting WHERE n < 5;
\if :v15
CREATE VIEW as_invoker WITH (security_invoker = true) AS SELECT * FROM hen;
\endif
ALTER VIEW checked ALTER egg SET DEFAULT 5;
-- complete only with the primary key that comes after the data; a second view and a function stand on it
CREATE VIEW by_key AS SELECT c.id, c.name, c.note, count(h.id) FROM customer c LEFT JOIN hen h
    ON h.id = c.id GROUP BY c.id;
CREATE VIEW a_by_key AS SELECT * FROM by_key WHERE count > 0;
CREATE FUNCTION of_view(by_key) RETURNS text LANGUAGE sql AS 'SELECT $1.note';
\if :v14
-- a view and a function that need each other
CREATE VIEW ring AS SELECT 1 AS n;
CREATE FUNCTION in_ring(ring) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1.n';
CREATE OR REPLACE VIEW ring AS SELECT 1 AS n WHERE in_ring(NULL) IS NULL;
\endif
COMMENT ON VIEW z_base IS 'of a view';
COMMENT ON COLUMN z_base.mood IS 'of a column of a view';
ALTER VIEW z_base OWNER TO ev_owner;
GRANT SELECT ON z_base TO ev_reader;
GRANT UPDATE (mood) ON z_base TO "Ev Writer";

CREATE TABLE ruled (a int, t text);
CREATE TABLE ruled_log (a int, t text);
CREATE RULE log_it AS ON INSERT TO ruled DO ALSO INSERT INTO ruled_log VALUES (new.a, 'rule');
CREATE RULE never AS ON DELETE TO ruled WHERE old.a = 1 DO INSTEAD NOTHING;
CREATE RULE both_ways AS ON UPDATE TO ruled DO ALSO
    (INSERT INTO ruled_log VALUES (1, 'a'); INSERT INTO ruled_log VALUES (2, 'b'); NOTIFY ruled);
ALTER TABLE ruled DISABLE RULE never;
ALTER TABLE ruled ENABLE ALWAYS RULE both_ways;
COMMENT ON RULE log_it ON ruled IS 'of a rule';
INSERT INTO ruled VALUES (1, 'row'), (2, 'row');
CREATE RULE into_view AS ON INSERT TO a_above DO INSTEAD INSERT INTO ruled VALUES (new.n, new.mood);

-- ---- materialized views ----------------------------------------------------------------------------

CREATE MATERIALIZED VIEW z_lowest AS
    SELECT mood, count(*) AS n, max(weight) AS m FROM customer GROUP BY mood;
CREATE UNIQUE INDEX z_lowest_mood ON z_lowest (mood);
CREATE MATERIALIZED VIEW m_middle WITH (fillfactor = 80) AS SELECT * FROM z_lowest WHERE n > 0;
CREATE VIEW l_between AS SELECT sum(n) AS n FROM m_middle;
CREATE MATERIALIZED VIEW a_top TABLESPACE ev_space AS
    SELECT n, standing.count FROM l_between, (SELECT count(*) FROM sale) standing;
CREATE MATERIALIZED VIEW b_empty AS SELECT * FROM a_top WITH NO DATA;
CREATE MATERIALIZED VIEW by_key_rows AS SELECT id, name FROM by_key;
CREATE INDEX b_empty_n ON b_empty (n);
CLUSTER z_lowest USING z_lowest_mood;
COMMENT ON MATERIALIZED VIEW z_lowest IS 'of a materialized view';
ALTER MATERIALIZED VIEW z_lowest OWNER TO ev_owner;
GRANT SELECT ON z_lowest TO ev_reader;
CREATE STATISTICS ev_stat_view ON mood, n FROM z_lowest;

-- ---- triggers --------------------------------------------------------------------------------------

CREATE TABLE guarded (id int PRIMARY KEY, t text, changed int DEFAULT 0);
INSERT INTO guarded SELECT i, 'g' || i FROM generate_series(1, 100) i;
CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_LEVEL = 'STATEMENT' OR TG_TABLE_NAME <> 'guarded' THEN RETURN NULL; END IF;
    new.changed := new.changed + 1;
    RETURN new;
END $$;
CREATE TRIGGER before_row BEFORE INSERT OR UPDATE OF t ON guarded FOR EACH ROW
    WHEN (new.t IS NOT NULL) EXECUTE FUNCTION guard('argument', 'an''other');
CREATE TRIGGER after_all AFTER UPDATE ON guarded REFERENCING OLD TABLE AS o NEW TABLE AS n
    FOR EACH STATEMENT EXECUTE FUNCTION guard();
CREATE TRIGGER at_truncate AFTER TRUNCATE ON guarded EXECUTE FUNCTION guard();
CREATE CONSTRAINT TRIGGER at_end AFTER INSERT ON guarded FROM hen DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION guard();
CREATE TRIGGER instead INSTEAD OF INSERT ON z_base FOR EACH ROW EXECUTE FUNCTION guard();
CREATE TRIGGER each_sale AFTER INSERT ON sale FOR EACH ROW EXECUTE FUNCTION guard();
CREATE TRIGGER "quiet ""one""" BEFORE INSERT ON guarded FOR EACH ROW EXECUTE FUNCTION guard();
ALTER TABLE guarded DISABLE TRIGGER "quiet ""one""";
ALTER TABLE guarded ENABLE ALWAYS TRIGGER at_truncate;
ALTER TABLE guarded ENABLE REPLICA TRIGGER after_all;
ALTER TABLE sale_old DISABLE TRIGGER each_sale;
COMMENT ON TRIGGER before_row ON guarded IS 'of a trigger';

-- ---- row security ----------------------------------------------------------------------------------

CREATE TABLE secured (id int, who text DEFAULT current_user);
INSERT INTO secured
    SELECT i, (ARRAY['ev_owner', 'ev_reader'])[1 + i % 2] FROM generate_series(1, 100) i;
CREATE POLICY own_rows ON secured USING (who = current_user);
CREATE POLICY readers ON secured AS RESTRICTIVE FOR SELECT TO ev_reader, "Ev Writer" USING (id > 0);
CREATE POLICY writers ON secured FOR INSERT TO "Ev Writer" WITH CHECK (id IN (SELECT id FROM hen));
COMMENT ON POLICY own_rows ON secured IS 'of a policy';
ALTER TABLE secured OWNER TO ev_owner;
ALTER TABLE secured ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE TABLE not_yet_secured (id int);
CREATE POLICY waiting ON not_yet_secured USING (false);

-- ---- foreign data ----------------------------------------------------------------------------------

CREATE FOREIGN DATA WRAPPER ev_wrapper OPTIONS (opt1 'x', "Opt 2" 'y''z');
CREATE SERVER ev_server TYPE 'kind' VERSION '1.0' FOREIGN DATA WRAPPER ev_wrapper
    OPTIONS (host 'nowhere');
CREATE SERVER ev_loopback FOREIGN DATA WRAPPER postgres_fdw OPTIONS (dbname 'nowhere', port '1');
CREATE USER MAPPING FOR PUBLIC SERVER ev_server OPTIONS (name 'p');
CREATE USER MAPPING FOR ev_owner SERVER ev_loopback OPTIONS (user 'u', password 'with ''quotes''');
CREATE FOREIGN TABLE far (id int OPTIONS (far_name 'x') NOT NULL, t text DEFAULT 'd' COLLATE "C",
    CHECK (id > 0)) SERVER ev_server OPTIONS (far_table 't');
CREATE FOREIGN TABLE far_child (more int) INHERITS (uncle) SERVER ev_loopback;
ALTER FOREIGN TABLE far ALTER t SET STATISTICS 7;
COMMENT ON FOREIGN DATA WRAPPER ev_wrapper IS 'of a wrapper';
COMMENT ON SERVER ev_server IS 'of a server';
COMMENT ON FOREIGN TABLE far IS 'of a foreign table';
ALTER FOREIGN DATA WRAPPER ev_wrapper OWNER TO ev_super;
GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO ev_owner;
ALTER SERVER ev_loopback OWNER TO ev_owner;
GRANT USAGE ON FOREIGN DATA WRAPPER ev_wrapper TO ev_reader;
GRANT USAGE ON FOREIGN SERVER ev_loopback TO ev_reader WITH GRANT OPTION;
GRANT SELECT ON far TO ev_reader;

-- ---- large objects ---------------------------------------------------------------------------------

SELECT lo_create(400001), lo_from_bytea(400002, '\x00ff5c0a'), lo_from_bytea(400003,
    (SELECT string_agg(sha256(i::text::bytea), '' ORDER BY i) FROM generate_series(1, 5000) i));
SELECT lo_create(400004);
SELECT lo_put(400004, 1000000, 'after a hole');
COMMENT ON LARGE OBJECT 400002 IS 'of a large object';
ALTER LARGE OBJECT 400002 OWNER TO ev_owner;
GRANT SELECT ON LARGE OBJECT 400003 TO ev_reader;
GRANT UPDATE ON LARGE OBJECT 400003 TO "Ev Writer" WITH GRANT OPTION;
CREATE TABLE points_to (o oid);
INSERT INTO points_to VALUES (400002), (400003);

-- ---- replication -----------------------------------------------------------------------------------

CREATE PUBLICATION ev_all FOR ALL TABLES WITH (publish = 'insert, delete');
CREATE PUBLICATION ev_some FOR TABLE hen, ONLY parent;
CREATE PUBLICATION ev_roots FOR TABLE sale WITH (publish_via_partition_root = true);
CREATE PUBLICATION ev_none;
\if :v15
CREATE PUBLICATION ev_filtered FOR TABLE egg (id, hen) WHERE (id > 5), elsewhere (id, t);
CREATE PUBLICATION ev_schema FOR TABLES IN SCHEMA ev_kept_order, TABLE guarded;
\endif
\if :v18
CREATE PUBLICATION ev_generated FOR TABLE computed WITH (publish_generated_columns = stored);
\endif
COMMENT ON PUBLICATION ev_some IS 'of a publication';
ALTER PUBLICATION ev_none OWNER TO ev_super;
CREATE SUBSCRIPTION ev_subscription CONNECTION 'host=/nowhere dbname=''x y'''
    PUBLICATION ev_a, "Ev b" WITH (connect = false, slot_name = NONE, synchronous_commit = local);
COMMENT ON SUBSCRIPTION ev_subscription IS 'of a subscription';

-- ---- what depends on extensions --------------------------------------------------------------------

CREATE TABLE ev_ext.inside (h ev_ext.hstore PRIMARY KEY, t text);
INSERT INTO ev_ext.inside VALUES ('a=>1', 'x');
CREATE FUNCTION falls_with() RETURNS int LANGUAGE sql AS 'SELECT 1';
ALTER FUNCTION falls_with() DEPENDS ON EXTENSION pg_trgm;
CREATE INDEX falls_with_index ON hen (egg);
ALTER INDEX falls_with_index DEPENDS ON EXTENSION pg_trgm;

-- ---- the database itself ---------------------------------------------------------------------------

COMMENT ON DATABASE :"this" IS 'of the database';
ALTER DATABASE :"this" SET work_mem = '5MB';
ALTER DATABASE :"this" SET search_path = ev, "Ev ""quoted"" schema", public;
ALTER ROLE ev_reader IN DATABASE :"this" SET statement_timeout = '77s';
ALTER DATABASE :"this" CONNECTION LIMIT 50;
REVOKE TEMPORARY ON DATABASE :"this" FROM PUBLIC;
GRANT CREATE ON DATABASE :"this" TO ev_reader WITH GRANT OPTION;

-- ---- event triggers: from here on nothing can be defined -------------------------------------------

CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE 'no % here', tg_tag;
END $$;
CREATE EVENT TRIGGER ev_quiet ON sql_drop EXECUTE FUNCTION refuse();
ALTER EVENT TRIGGER ev_quiet DISABLE;
CREATE EVENT TRIGGER ev_replica ON table_rewrite WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION refuse();
ALTER EVENT TRIGGER ev_replica ENABLE REPLICA;
CREATE EVENT TRIGGER ev_refuse ON ddl_command_start EXECUTE FUNCTION refuse();
ALTER EVENT TRIGGER ev_refuse OWNER TO ev_super;
COMMENT ON EVENT TRIGGER ev_refuse IS 'of an event trigger';
