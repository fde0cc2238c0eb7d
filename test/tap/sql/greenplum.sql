-- Every kind of table that Greenplum 6 has, and what else a database of it may hold.
SET client_min_messages = warning;
CREATE SCHEMA sales;
CREATE SCHEMA "Quo te";
CREATE TYPE sales.mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN sales.code AS varchar(10) CHECK (VALUE <> '');

CREATE TABLE heap_hash (id int PRIMARY KEY, name text, at timestamptz, amount numeric(12, 2)) DISTRIBUTED BY (id);
INSERT INTO heap_hash SELECT g, 'n' || g, '2024-01-01'::timestamptz + g * interval '1 hour', g / 7.0 FROM generate_series(1, 5000) g;
CREATE INDEX heap_hash_name ON heap_hash (name);
CREATE TABLE heap_multi (a int, b text, c date, payload text) DISTRIBUTED BY (c, a);
INSERT INTO heap_multi SELECT g, md5(g::text), '2020-01-01'::date + g % 700, repeat('x', g % 50) FROM generate_series(1, 4000) g;
CREATE TABLE heap_random (a int, b text) DISTRIBUTED RANDOMLY;
INSERT INTO heap_random SELECT g, 'r' || g FROM generate_series(1, 3000) g;
CREATE TABLE heap_rep (code text PRIMARY KEY, name text) DISTRIBUTED REPLICATED;
INSERT INTO heap_rep SELECT 'c' || g, 'country ' || g FROM generate_series(1, 200) g;
CREATE TABLE legacy (id int, t text) DISTRIBUTED BY (id cdbhash_int4_ops, t cdbhash_text_ops);
INSERT INTO legacy SELECT g, 'l' || g FROM generate_series(1, 1000) g;
CREATE TABLE ao_row (id bigint, t text) WITH (appendonly = true) DISTRIBUTED BY (id);
INSERT INTO ao_row SELECT g, 'ao' || g FROM generate_series(1, 4000) g;
DELETE FROM ao_row WHERE id % 10 = 3;
UPDATE ao_row SET t = 'updated' WHERE id % 100 = 1;
CREATE TABLE ao_zlib (id int, t text) WITH (appendonly = true, compresstype = zlib, compresslevel = 5) DISTRIBUTED RANDOMLY;
INSERT INTO ao_zlib SELECT g, repeat('z', g % 300) FROM generate_series(1, 2000) g;
CREATE TABLE aoco (id int, a text ENCODING (compresstype = zlib, compresslevel = 1), b float8)
    WITH (appendonly = true, orientation = column) DISTRIBUTED BY (id);
INSERT INTO aoco SELECT g, 'c' || g, g / 3.0 FROM generate_series(1, 6000) g;
CREATE INDEX aoco_b ON aoco USING bitmap (b);
CREATE TABLE aoco_rep (id int, t text) WITH (appendonly = true, orientation = column) DISTRIBUTED REPLICATED;
INSERT INTO aoco_rep SELECT g, 'x' FROM generate_series(1, 50) g;

CREATE TABLE sales.part (id int, at date, region text, amount int) DISTRIBUTED BY (id)
    PARTITION BY RANGE (at) SUBPARTITION BY LIST (region)
    SUBPARTITION TEMPLATE (SUBPARTITION eu VALUES ('eu'), SUBPARTITION us VALUES ('us'), DEFAULT SUBPARTITION rest)
    (START ('2024-01-01') END ('2024-07-01') EVERY (interval '1 month'), DEFAULT PARTITION other);
INSERT INTO sales.part SELECT g, '2024-01-01'::date + g % 250, (ARRAY['eu', 'us', 'asia'])[g % 3 + 1], g FROM generate_series(1, 6000) g;
CREATE TABLE sales.part_ao (id int, k int, t text) WITH (appendonly = true) DISTRIBUTED BY (id)
    PARTITION BY LIST (k) (PARTITION one VALUES (1) WITH (appendonly = true, orientation = column),
                           PARTITION two VALUES (2), PARTITION three VALUES (3) WITH (appendonly = false));
INSERT INTO sales.part_ao SELECT g, g % 3 + 1, 'p' || g FROM generate_series(1, 3000) g;
CREATE INDEX part_id ON sales.part (id);

CREATE TABLE parent (id int, t text) DISTRIBUTED BY (id);
CREATE TABLE child (extra int) INHERITS (parent) DISTRIBUTED BY (id);
INSERT INTO parent SELECT g, 'parent' FROM generate_series(1, 500) g;
INSERT INTO child SELECT g, 'child', g FROM generate_series(501, 900) g;

CREATE TABLE by_mood (m sales.mood, n int) DISTRIBUTED BY (m);
INSERT INTO by_mood SELECT (ARRAY['sad', 'ok', 'happy']::sales.mood[])[g % 3 + 1], g FROM generate_series(1, 900) g;
CREATE TABLE "Quo te"."Ta ""ble'\" ("Ke y" text, "a,b" int, gone int, "sel ect" bytea) DISTRIBUTED BY ("Ke y", "a,b");
INSERT INTO "Quo te"."Ta ""ble'\" SELECT 'ä' || g, g, g, decode(md5(g::text), 'hex') FROM generate_series(1, 300) g;
ALTER TABLE "Quo te"."Ta ""ble'\" DROP COLUMN gone;
CREATE TABLE types (k uuid, i8 int8, f4 float4, t text, ts timestamp, d date, b bool, j json, a int[], ip inet, iv interval, c sales.code, ch char(5), nt numeric)
    DISTRIBUTED BY (k);
INSERT INTO types SELECT md5(g::text)::uuid, g::int8 * 1000000007, g / 3.0, NULLIF('t' || g, 't7'), '2020-01-01'::timestamp + g * interval '1 s',
    '1999-12-31'::date + g, g % 2 = 0, ('{"a": ' || g || '}')::json, ARRAY[g, NULL, g + 1], ('10.0.0.' || g % 250)::inet, g * interval '3 min', 'c' || g, 'x', g / 11.0
    FROM generate_series(1, 400) g;
CREATE TABLE by_text (t text, v varchar(20), f float8, b bool, ts timestamptz) DISTRIBUTED BY (t, v, f, b, ts);
INSERT INTO by_text SELECT CASE WHEN g % 9 > 0 THEN 'k' || g END, 'v' || g % 5, g / 5.0, g % 2 = 0, now() FROM generate_series(1, 800) g;
CREATE TABLE empty_hash (id int) DISTRIBUTED BY (id);
CREATE TABLE no_columns () DISTRIBUTED RANDOMLY;
CREATE UNLOGGED TABLE unlogged (id int, t text) DISTRIBUTED BY (id);
INSERT INTO unlogged SELECT g, 'u' FROM generate_series(1, 100) g;
CREATE TABLE ser (id serial, t text) DISTRIBUTED BY (id);
INSERT INTO ser (t) SELECT 's' || g FROM generate_series(1, 250) g;
CREATE SEQUENCE sales.counter START 1000 INCREMENT 5;
SELECT nextval('sales.counter'), nextval('sales.counter');

CREATE EXTERNAL WEB TABLE ext_read (x text) EXECUTE 'echo hello' ON MASTER FORMAT 'TEXT';
CREATE WRITABLE EXTERNAL WEB TABLE ext_write (x text) EXECUTE 'cat > /dev/null' FORMAT 'TEXT' DISTRIBUTED RANDOMLY;

CREATE VIEW sales.v AS SELECT region, count(*) AS n FROM sales.part GROUP BY region;
CREATE MATERIALIZED VIEW sales.mv AS SELECT region, sum(amount) AS total FROM sales.part GROUP BY region DISTRIBUTED BY (region);
CREATE MATERIALIZED VIEW sales.mv_of_mv AS SELECT max(total) AS most FROM sales.mv DISTRIBUTED RANDOMLY;
CREATE FUNCTION sales.twice(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2';
CREATE FUNCTION note_it() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
COMMENT ON TABLE heap_hash IS 'a comment; with ''quotes''';
COMMENT ON COLUMN aoco.a IS 'a column';
ALTER TABLE heap_multi ADD CONSTRAINT positive CHECK (a > 0);
GRANT SELECT ON heap_hash TO PUBLIC;
