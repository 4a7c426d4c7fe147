-- SPDX-License-Identifier: Apache-2.0
-- What every database of the differential test has. Only `own_N` and what a step makes itself is written to.
CREATE TABLE items (id int PRIMARY KEY, word text);
INSERT INTO items SELECT g, 'public ' || g FROM generate_series(1, 10) g;
CREATE SCHEMA s1;
CREATE TABLE s1.items (id int PRIMARY KEY, word text);
INSERT INTO s1.items SELECT g, 's1 ' || g FROM generate_series(1, 10) g;
CREATE SCHEMA s2;
CREATE TABLE s2.items (id int PRIMARY KEY, word varchar(40), more numeric(8, 2) DEFAULT 1.5);
INSERT INTO s2.items SELECT g, 's2 ' || g FROM generate_series(1, 10) g;
CREATE TABLE secrets (owner name DEFAULT current_user, word text);
INSERT INTO secrets VALUES ('reader', 'for the reader'), ('writer', 'for the writer'), ('app', 'for the owner');
ALTER TABLE secrets ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON secrets USING (owner = current_user);
GRANT USAGE ON SCHEMA s1, s2 TO reader, writer;
GRANT SELECT ON items, s1.items, secrets TO reader;
GRANT SELECT ON secrets TO writer;
CREATE TABLE changing (id int PRIMARY KEY, word text);
INSERT INTO changing SELECT g, 'before ' || g FROM generate_series(1, 5) g;
CREATE SEQUENCE counter;
CREATE SEQUENCE other_counter START 100 INCREMENT 10;
CREATE SEQUENCE cached CACHE 5;
DO $$ BEGIN FOR n IN 0..7 LOOP
    EXECUTE format('CREATE TABLE own_%s (id serial PRIMARY KEY, word text UNIQUE, amount int CHECK (amount >= 0))', n);
END LOOP; END $$;

CREATE FUNCTION harmless(n int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN n + 1; END $$;
CREATE FUNCTION hidden_set(name text, value text) RETURNS text LANGUAGE plpgsql AS
    $$ BEGIN RETURN set_config(name, value, false); END $$;
CREATE FUNCTION hidden_path() RETURNS void LANGUAGE plpgsql AS $$ BEGIN SET search_path = s2; END $$;
CREATE FUNCTION hidden_role() RETURNS void LANGUAGE plpgsql AS $$ BEGIN SET ROLE reader; END $$;
CREATE FUNCTION hidden_lock(key int) RETURNS boolean LANGUAGE plpgsql AS
    $$ BEGIN RETURN pg_try_advisory_lock(key); END $$;
CREATE FUNCTION hidden_temp() RETURNS void LANGUAGE plpgsql AS
    $$ BEGIN CREATE TEMP TABLE hidden_t (id int); INSERT INTO hidden_t VALUES (1); END $$;
CREATE FUNCTION hidden_next() RETURNS bigint LANGUAGE sql AS $$ SELECT nextval('counter') $$;
CREATE FUNCTION guarded() RETURNS text LANGUAGE plpgsql SET work_mem = '9MB' AS
    $$ BEGIN RETURN current_setting('work_mem'); END $$;
CREATE PROCEDURE note_twice(place text, one text, two text) LANGUAGE plpgsql AS $$ BEGIN
    EXECUTE format('INSERT INTO %I (word) VALUES (%L)', place, one);
    COMMIT;
    EXECUTE format('INSERT INTO %I (word) VALUES (%L)', place, two);
    ROLLBACK;
END $$;
CREATE PROCEDURE set_in_call(value text) LANGUAGE plpgsql AS
    $$ BEGIN PERFORM set_config('work_mem', value, false); END $$;
CREATE PROCEDURE tell(INOUT word text) LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'told %', word; END $$;
