-- Every kind of object that the documentation of pg_dump names, with odd names and odd data.
CREATE SCHEMA zoo AUTHORIZATION keeper;
CREATE SCHEMA "Odd ""schema"" 'ä' $1";
COMMENT ON SCHEMA zoo IS 'it''s a \zoo; with -- comments
and lines';
GRANT USAGE ON SCHEMA zoo TO visitor WITH GRANT OPTION;
GRANT CREATE ON SCHEMA public TO keeper;
REVOKE EXECUTE ON FUNCTION pg_catalog.pg_sleep(double precision) FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE keeper IN SCHEMA zoo GRANT SELECT ON TABLES TO visitor;
ALTER DEFAULT PRIVILEGES FOR ROLE keeper REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
SET search_path = zoo, public;

-- Types.
CREATE TYPE mood AS ENUM ('sad', 'o''k', 'happy "x"', 'ü');
CREATE TYPE pair AS (a integer, b text COLLATE "C");
CREATE DOMAIN positive AS integer DEFAULT 7 NOT NULL CONSTRAINT above_zero CHECK (VALUE > 0);
ALTER DOMAIN positive ADD CONSTRAINT below CHECK (VALUE < 1000000) NOT VALID;
CREATE TYPE floats AS RANGE (SUBTYPE = float8, SUBTYPE_DIFF = float8mi, MULTIRANGE_TYPE_NAME = manyfloats);
CREATE TYPE base;
CREATE FUNCTION base_in(cstring) RETURNS base LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
CREATE FUNCTION base_out(base) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out';
CREATE TYPE base (INPUT = base_in, OUTPUT = base_out, LIKE = integer, CATEGORY = 'N', DELIMITER = ';');
CREATE TYPE never_defined;
COMMENT ON TYPE mood IS 'how it is';
COMMENT ON DOMAIN positive IS 'a domain';
COMMENT ON CONSTRAINT above_zero ON DOMAIN positive IS 'of a domain';
GRANT USAGE ON TYPE mood TO visitor;
ALTER TYPE mood OWNER TO keeper;

-- Routines, operators, casts.
CREATE FUNCTION twice(integer, "odd arg" text DEFAULT 'x''y', VARIADIC rest integer[] DEFAULT '{}') RETURNS integer
	LANGUAGE sql IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 7 SECURITY DEFINER SET search_path = pg_catalog, "Odd ""schema"" 'ä' $1" SET work_mem = '5MB' AS 'SELECT $1 * 2';
CREATE FUNCTION atomic(i integer) RETURNS TABLE (n integer, m text) LANGUAGE sql STABLE ROWS 3 BEGIN ATOMIC SELECT i AS n, 'one'::text AS m; SELECT i + 1 AS n, 'two'::text AS m; END;
CREATE FUNCTION block(OUT a integer, INOUT b text) LANGUAGE plpgsql AS $body$ BEGIN a := length(b); b := $q$it's$q$; END; $body$;
CREATE PROCEDURE proc(INOUT i integer) LANGUAGE plpgsql AS 'BEGIN i := i + 1; END';
CREATE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE FUNCTION dropped() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN NULL; END';
CREATE FUNCTION differs(integer, integer) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 <> $2';
CREATE FUNCTION equals(integer, integer) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 = $2';
CREATE AGGREGATE total(integer) (SFUNC = int4pl, STYPE = integer, INITCOND = '5', MSFUNC = int4pl, MINVFUNC = int4mi, MSTYPE = integer, MINITCOND = '5', COMBINEFUNC = int4pl, PARALLEL = SAFE);
CREATE AGGREGATE ordered(float8 ORDER BY anyelement) (SFUNC = ordered_set_transition, STYPE = internal, FINALFUNC = percentile_disc_final, FINALFUNC_EXTRA);
CREATE OPERATOR === (LEFTARG = integer, RIGHTARG = integer, FUNCTION = equals, COMMUTATOR = OPERATOR(zoo.===), NEGATOR = OPERATOR(zoo.!==), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
CREATE OPERATOR !== (LEFTARG = integer, RIGHTARG = integer, FUNCTION = differs, COMMUTATOR = OPERATOR(zoo.!==), NEGATOR = OPERATOR(zoo.===), RESTRICT = neqsel, JOIN = neqjoinsel);
CREATE OPERATOR @#@ (RIGHTARG = bigint, FUNCTION = int8abs);
CREATE OPERATOR FAMILY family USING btree;
CREATE OPERATOR CLASS class FOR TYPE bigint USING btree FAMILY family AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 btint8cmp(bigint, bigint);
ALTER OPERATOR FAMILY family USING btree ADD OPERATOR 1 < (bigint, integer), FUNCTION 1 btint84cmp(bigint, integer);
CREATE CAST (pair AS text) WITH INOUT AS ASSIGNMENT;
CREATE FUNCTION mood_of(pair) RETURNS mood LANGUAGE sql IMMUTABLE AS 'SELECT ''ü''::zoo.mood';
CREATE CAST (pair AS mood) WITH FUNCTION mood_of(pair) AS IMPLICIT;
CREATE CONVERSION conversion FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
CREATE COLLATION nd (PROVIDER = icu, LOCALE = 'und-u-ks-level2', DETERMINISTIC = false);
CREATE FUNCTION parrot_handler() RETURNS language_handler LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler';
CREATE FUNCTION parrot_inline(internal) RETURNS void LANGUAGE c STRICT AS '$libdir/plpgsql', 'plpgsql_inline_handler';
CREATE FUNCTION parrot_validator(oid) RETURNS void LANGUAGE c STRICT AS '$libdir/plpgsql', 'plpgsql_validator';
CREATE LANGUAGE parrot HANDLER parrot_handler INLINE parrot_inline VALIDATOR parrot_validator;
CREATE TRANSFORM FOR integer LANGUAGE sql (FROM SQL WITH FUNCTION prsd_lextype(internal), TO SQL WITH FUNCTION int4recv(internal));
CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler;
CREATE ACCESS METHOD gist2 TYPE INDEX HANDLER gisthandler;
COMMENT ON FUNCTION block(text) IS 'of a function';
COMMENT ON PROCEDURE proc(integer) IS 'of a procedure';
COMMENT ON AGGREGATE total(integer) IS 'of an aggregate';
COMMENT ON OPERATOR === (integer, integer) IS 'of an operator';
COMMENT ON OPERATOR FAMILY family USING btree IS 'of a family';
COMMENT ON OPERATOR CLASS class USING btree IS 'of a class';
COMMENT ON CAST (pair AS mood) IS 'of a cast';
COMMENT ON CONVERSION conversion IS 'of a conversion';
COMMENT ON COLLATION nd IS 'of a collation';
COMMENT ON LANGUAGE parrot IS 'of a language';
COMMENT ON ACCESS METHOD heap2 IS 'of a method';
REVOKE EXECUTE ON FUNCTION block(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION block(text) TO visitor;
ALTER FUNCTION block(text) OWNER TO keeper;

-- Text search.
CREATE TEXT SEARCH TEMPLATE simple2 (INIT = dsimple_init, LEXIZE = dsimple_lexize);
CREATE TEXT SEARCH PARSER parser (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype, HEADLINE = prsd_headline);
CREATE TEXT SEARCH DICTIONARY words (TEMPLATE = simple2, STOPWORDS = 'english', ACCEPT = 'false');
CREATE TEXT SEARCH CONFIGURATION search (PARSER = parser);
ALTER TEXT SEARCH CONFIGURATION search ADD MAPPING FOR asciiword, word WITH words, english_stem;
COMMENT ON TEXT SEARCH CONFIGURATION search IS 'of a configuration';

-- Sequences and tables.
CREATE SEQUENCE counter AS smallint INCREMENT BY -3 MINVALUE -100 MAXVALUE 50 START 20 CACHE 4 CYCLE;
SELECT nextval('counter'), nextval('counter');
CREATE SEQUENCE untouched;
CREATE TABLE parent (
	id integer GENERATED ALWAYS AS IDENTITY (START WITH 10 INCREMENT BY 5) PRIMARY KEY,
	code text COLLATE "C" NOT NULL DEFAULT 'a''b\c',
	big numeric(30, 10) CHECK (big > 0) NO INHERIT,
	doubled numeric GENERATED ALWAYS AS (big * 2) STORED,
	feeling mood DEFAULT 'happy "x"',
	duo pair,
	span floats,
	amount positive,
	"Odd ""column"" 'ö' $1" text DEFAULT E'\x01\t\n\\',
	CONSTRAINT code_once UNIQUE (code) DEFERRABLE INITIALLY DEFERRED,
	CONSTRAINT nulls_once UNIQUE NULLS NOT DISTINCT (feeling, duo) INCLUDE (amount),
	CONSTRAINT not_yet CHECK (length(code) < 100)
) WITH (fillfactor = 71, autovacuum_enabled = false, toast.autovacuum_vacuum_cost_delay = 3);
ALTER TABLE parent ALTER code SET STATISTICS 123, ALTER code SET (n_distinct = -0.5), ALTER code SET COMPRESSION pglz, ALTER big SET STORAGE MAIN;
ALTER TABLE parent REPLICA IDENTITY FULL;
ALTER TABLE parent OWNER TO keeper;
COMMENT ON TABLE parent IS 'of a table';
COMMENT ON COLUMN parent.code IS 'of a column';
COMMENT ON CONSTRAINT not_yet ON parent IS 'of a constraint';
GRANT SELECT, INSERT (code), UPDATE (code, big) ON parent TO visitor WITH GRANT OPTION;
GRANT TRUNCATE ON parent TO PUBLIC;
CREATE TABLE child (extra integer[] DEFAULT '{{1,2},{3,NULL}}') INHERITS (parent);
ALTER TABLE parent ADD CONSTRAINT added CHECK (id < 100000) NOT VALID;
CREATE TABLE referrer (
	id bigserial PRIMARY KEY, a integer, b integer, parent integer,
	CONSTRAINT to_parent FOREIGN KEY (parent) REFERENCES parent ON UPDATE CASCADE ON DELETE SET DEFAULT DEFERRABLE,
	UNIQUE (a, b));
ALTER TABLE referrer ADD CONSTRAINT to_self FOREIGN KEY (a, b) REFERENCES referrer (a, b) MATCH FULL NOT VALID;
ALTER TABLE referrer ADD CONSTRAINT nulling FOREIGN KEY (b, a) REFERENCES referrer (a, b) ON DELETE SET NULL (b);
CREATE TABLE booking (room integer, during tsrange, EXCLUDE USING gist (during WITH &&) WHERE (room > 0));
CREATE TABLE typed OF pair (PRIMARY KEY (a));
CREATE UNLOGGED TABLE unlogged (i integer);
CREATE TABLE odd_method (i integer) USING heap2;
CREATE TABLE "Odd ""schema"" 'ä' $1"."SELECT" ("from" integer, "%s\ {}" integer);
CREATE TABLE no_columns ();
INSERT INTO no_columns DEFAULT VALUES;
CREATE TABLE measured (at date NOT NULL, place text, value integer) PARTITION BY RANGE (at, lower(place));
CREATE TABLE measured_old PARTITION OF measured FOR VALUES FROM (MINVALUE, MINVALUE) TO ('2020-01-01', MINVALUE) PARTITION BY LIST (value);
CREATE TABLE measured_old_one PARTITION OF measured_old FOR VALUES IN (1, NULL);
CREATE TABLE measured_old_rest PARTITION OF measured_old DEFAULT;
CREATE TABLE measured_new PARTITION OF measured FOR VALUES FROM ('2020-01-01', MINVALUE) TO (MAXVALUE, MAXVALUE) WITH (fillfactor = 50);
CREATE TABLE hashed (i integer PRIMARY KEY) PARTITION BY HASH (i);
CREATE TABLE hashed_0 (i integer NOT NULL);
ALTER TABLE hashed ATTACH PARTITION hashed_0 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE hashed_1 (i integer NOT NULL);
ALTER TABLE hashed ATTACH PARTITION hashed_1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE INDEX ON measured (place);
CREATE UNIQUE INDEX partial ON parent (lower(code) COLLATE "C" text_pattern_ops DESC NULLS LAST) INCLUDE (big) WITH (fillfactor = 60) WHERE big > 3;
CREATE INDEX own_class ON referrer (id class);
CREATE INDEX gins ON child USING gin (extra) WITH (fastupdate = off);
CREATE INDEX brins ON referrer USING brin (id) WITH (pages_per_range = 4, autosummarize = on);
CREATE INDEX hashes ON referrer USING hash (parent);
ALTER INDEX partial ALTER COLUMN 1 SET STATISTICS 99;
ALTER TABLE referrer CLUSTER ON referrer_pkey;
CREATE TABLE identified (i integer NOT NULL);
CREATE UNIQUE INDEX identity ON identified (i);
ALTER TABLE identified REPLICA IDENTITY USING INDEX identity;
COMMENT ON INDEX partial IS 'of an index';
CREATE STATISTICS st (ndistinct, dependencies, mcv) ON a, b FROM referrer;
ALTER STATISTICS st SET STATISTICS 44;
CREATE STATISTICS expressions ON (a + 1), (b * 2) FROM referrer;

-- Views, rules, triggers, policies.
CREATE VIEW seen WITH (security_barrier = true, security_invoker = true) AS SELECT id, code FROM parent WHERE id > 0 WITH CASCADED CHECK OPTION;
ALTER VIEW seen ALTER code SET DEFAULT 'seen';
CREATE RECURSIVE VIEW numbers (n) AS SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 3;
CREATE VIEW later AS SELECT NULL::integer AS i;
CREATE VIEW sooner AS SELECT i FROM later;
CREATE MATERIALIZED VIEW kept AS SELECT count(*) AS n, max(id) AS m FROM parent WITH NO DATA;
CREATE UNIQUE INDEX ON kept (n);
CREATE MATERIALIZED VIEW empty_view AS SELECT 1 AS one WITH NO DATA;
CREATE RULE quiet AS ON INSERT TO unlogged WHERE NEW.i < 0 DO INSTEAD NOTHING;
CREATE RULE also AS ON UPDATE TO unlogged DO ALSO (INSERT INTO odd_method VALUES (NEW.i); DELETE FROM odd_method WHERE i = 0);
ALTER TABLE unlogged DISABLE RULE also;
CREATE TRIGGER "odd trigger" BEFORE INSERT OR UPDATE OF code, big ON parent FOR EACH ROW WHEN (NEW.big > 1) EXECUTE FUNCTION touched('arg', 'it''s');
CREATE TRIGGER statements AFTER UPDATE ON referrer REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION touched();
CREATE CONSTRAINT TRIGGER constrained AFTER INSERT ON referrer FROM parent DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION touched();
CREATE TRIGGER instead INSTEAD OF DELETE ON seen FOR EACH ROW EXECUTE FUNCTION touched();
CREATE TRIGGER partitioned AFTER INSERT ON measured FOR EACH ROW EXECUTE FUNCTION touched();
ALTER TABLE parent ENABLE ALWAYS TRIGGER "odd trigger";
ALTER TABLE referrer DISABLE TRIGGER statements;
CREATE EVENT TRIGGER watch ON sql_drop WHEN TAG IN ('DROP TABLE') EXECUTE FUNCTION dropped();
ALTER EVENT TRIGGER watch ENABLE REPLICA;
CREATE POLICY own ON parent AS RESTRICTIVE FOR UPDATE TO keeper, visitor USING (code = CURRENT_USER) WITH CHECK (id > 5);
CREATE POLICY everybody ON referrer USING (true);
ALTER TABLE parent ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
COMMENT ON VIEW seen IS 'of a view';
COMMENT ON MATERIALIZED VIEW kept IS 'of a kept view';
COMMENT ON RULE quiet ON unlogged IS 'of a rule';
COMMENT ON TRIGGER "odd trigger" ON parent IS 'of a trigger';
COMMENT ON POLICY own ON parent IS 'of a policy';
COMMENT ON EVENT TRIGGER watch IS 'of an event trigger';
COMMENT ON STATISTICS st IS 'of statistics';

-- Elsewhere.
CREATE FOREIGN DATA WRAPPER wrapper OPTIONS (debug 'true', "odd option" 'it''s');
CREATE SERVER far TYPE 'zoo' VERSION '1.2' FOREIGN DATA WRAPPER wrapper OPTIONS (host 'nowhere');
CREATE USER MAPPING FOR visitor SERVER far OPTIONS (password 'not-a-secret');
CREATE USER MAPPING FOR PUBLIC SERVER far;
CREATE FOREIGN TABLE away (i integer OPTIONS (column_name 'x') NOT NULL, CHECK (i > 0)) SERVER far OPTIONS (table_name 'y');
GRANT USAGE ON FOREIGN SERVER far TO visitor;
GRANT USAGE ON FOREIGN DATA WRAPPER wrapper TO keeper;
CREATE PUBLICATION columns FOR TABLE parent (id, code) WHERE (id > 5) WITH (publish = 'insert');
CREATE PUBLICATION schemas FOR TABLES IN SCHEMA "Odd ""schema"" 'ä' $1", TABLE identified;
CREATE PUBLICATION everything FOR ALL TABLES WITH (publish_via_partition_root = true);
CREATE SUBSCRIPTION subscription CONNECTION 'host=nowhere dbname=x' PUBLICATION a, "b c" WITH (connect = false, enabled = false, slot_name = NONE, binary = true, streaming = true);
COMMENT ON SUBSCRIPTION subscription IS 'of a subscription';
SELECT lo_from_bytea(70001, '\x00ff27225c'), lo_from_bytea(70002, convert_to(repeat('large ', 100000), 'UTF8'));
ALTER LARGE OBJECT 70001 OWNER TO keeper;
COMMENT ON LARGE OBJECT 70001 IS 'of a large object';
GRANT SELECT ON LARGE OBJECT 70001 TO visitor;

-- Data.
INSERT INTO parent (code, big, duo, span, amount) SELECT 'code ' || i, i, ROW(i, E'a"b\\,(c)\n' || i)::pair, floats(i, i + 0.5), i FROM generate_series(1, 500) i;
INSERT INTO child (id, code, big, feeling, extra) VALUES (3, 'of the child', 1e15, NULL, '[0:1]={7,NULL}'), (4, 'empty', 2, 'ü', '{}');
INSERT INTO referrer (a, b, parent) VALUES (1, 2, 10), (2, 1, 15), (NULL, NULL, NULL);
INSERT INTO booking VALUES (1, '[2020-01-01,2020-01-02)'), (1, 'empty'), (0, '(,)');
INSERT INTO typed VALUES (1, NULL), (2, '');
INSERT INTO unlogged VALUES (1), (2);
INSERT INTO odd_method VALUES (42);
INSERT INTO "Odd ""schema"" 'ä' $1"."SELECT" VALUES (1, 2);
INSERT INTO measured VALUES ('1999-12-31', 'A', 1), ('0044-03-15 BC', 'b', NULL), ('infinity', 'c', 3);
INSERT INTO hashed SELECT generate_series(1, 100);
CREATE TABLE odd_data (
	id integer PRIMARY KEY, t text, b bytea, f float8, r real, n numeric, at timestamptz, local timestamp, i interval, j json, jb jsonb, ip inet, net cidr, mac macaddr8,
	bits bit varying, u uuid, ts tsvector, q tsquery, p point, poly polygon, ranges int4multirange, names name[], m money, l pg_lsn, c "char", pad character(5), b1 base);
INSERT INTO odd_data VALUES
	(1, E'\x01\b\f\n\r\t\v\\.\\N', (SELECT string_agg(decode(lpad(to_hex(i), 2, '0'), 'hex'), '' ORDER BY i) FROM generate_series(0, 255) i), 'NaN', '-Infinity', 'NaN', 'infinity', '-infinity', '-1 mons +2 days -00:00:00.000001', '{"a" : 1, "a":2, "\u0000": null}', '{"k": [1e400, "\\"]}', '::1/64', '10.0.0.0/8', '08:00:2b:01:02:03:04:05',
	 B'101', '00000000-0000-0000-0000-000000000000', 'a:1A ''it''''s'':2', 'a & !(b | c:*)', '(1e-300,-0)', '((0,0),(1,1),(1,0))', '{[1,3),[5,7)}', ARRAY['x', '', NULL, '"', '\'], '$-1,234.56', 'FF/0', E'\\200', 'a', '5'),
	(2, '', '', '-0', 1e-45, 1e131071, '0001-01-01 BC', '294276-12-31 23:59:59.999999', '178000000 years', 'null', 'null', NULL, NULL, NULL, '', NULL, '', '', NULL, NULL, '{}', '{}', NULL, NULL, '', '', NULL);
INSERT INTO odd_data (id, t, b, f, r, n, at) VALUES (3, repeat('𝄞é', 400000), decode(repeat('00ff', 500000), 'hex'), 1.7976931348623157e308, 3.4028235e38, 0.00000000000000000001, now());
INSERT INTO odd_data (id) VALUES (4);
REFRESH MATERIALIZED VIEW kept;
