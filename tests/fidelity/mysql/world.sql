-- SPDX-License-Identifier: Apache-2.0
-- What the databases of each run of the differential test have; // ends a statement. A line that begins with -- and a
-- server's name is for that server alone. Only `own_N`, `counted` and `fires` are written to.
CREATE TABLE main_0000.items (id INT PRIMARY KEY, word VARCHAR(40) NOT NULL) //
INSERT INTO main_0000.items VALUES (1, 'main 1'), (2, 'main 2'), (3, 'main 3'), (4, 'main 4'), (5, 'main 5'), (6, 'main 6'),
    (7, 'main 7'), (8, 'main 8'), (9, 'main 9'), (10, 'main 10') //
CREATE TABLE next_0000.items (id INT PRIMARY KEY, word VARCHAR(60), more DECIMAL(8, 2) DEFAULT 1.5) //
INSERT INTO next_0000.items (id, word) VALUES (1, 'next 1'), (2, 'next 2'), (3, 'next 3') //
CREATE TABLE main_0000.counted (id INT AUTO_INCREMENT PRIMARY KEY, word VARCHAR(40)) //
CREATE TABLE main_0000.fires (id INT AUTO_INCREMENT PRIMARY KEY, word VARCHAR(40)) //
CREATE TABLE main_0000.own_0 (id INT AUTO_INCREMENT PRIMARY KEY, word VARCHAR(40) UNIQUE, amount TINYINT UNSIGNED) //
CREATE TABLE main_0000.own_1 LIKE main_0000.own_0 //
CREATE TABLE main_0000.own_2 LIKE main_0000.own_0 //
CREATE TABLE main_0000.own_3 LIKE main_0000.own_0 //
CREATE TABLE main_0000.own_4 LIKE main_0000.own_0 //
CREATE TABLE main_0000.own_5 LIKE main_0000.own_0 //
CREATE TRIGGER main_0000.fired BEFORE INSERT ON main_0000.fires FOR EACH ROW SET @fired = NEW.word //
CREATE FUNCTION main_0000.harmless(n INT) RETURNS INT DETERMINISTIC NO SQL RETURN n + 1 //
CREATE FUNCTION main_0000.sets_a(n INT) RETURNS INT NO SQL BEGIN SET @a = n; RETURN n; END //
CREATE FUNCTION main_0000.sets_zone() RETURNS INT NO SQL BEGIN SET time_zone = '+07:00'; RETURN 7; END //
CREATE FUNCTION main_0000.takes_lock(name VARCHAR(20)) RETURNS INT NO SQL RETURN GET_LOCK(name, 0) //
CREATE FUNCTION main_0000.selects_a(n INT) RETURNS INT READS SQL DATA BEGIN SELECT n INTO @a; RETURN n; END //
CREATE FUNCTION main_0000.counts(w VARCHAR(40)) RETURNS INT MODIFIES SQL DATA
    BEGIN INSERT INTO main_0000.counted (word) VALUES (w); RETURN LAST_INSERT_ID(); END //
CREATE PROCEDURE main_0000.two_results(n INT)
    BEGIN SELECT n AS first; SELECT id, word FROM main_0000.items WHERE id <= n ORDER BY id; END //
CREATE PROCEDURE main_0000.gives(IN n INT, OUT doubled INT, INOUT word VARCHAR(40))
    BEGIN SET doubled = 2 * n; SET word = CONCAT(word, ' and ', n); END //
CREATE PROCEDURE main_0000.sets(zone VARCHAR(20)) SET time_zone = zone //
CREATE PROCEDURE main_0000.sets_user(n INT) SET @a = n //
CREATE PROCEDURE main_0000.makes_table(n INT)
    BEGIN CREATE TEMPORARY TABLE made (id INT); INSERT INTO made VALUES (n); END //
CREATE PROCEDURE main_0000.warns() SELECT CAST('12x' AS SIGNED) AS warned //
CREATE PROCEDURE main_0000.fails(told INT) BEGIN SELECT 1 AS before_it; IF told THEN SIGNAL SQLSTATE '45000'
    SET MESSAGE_TEXT = 'told to fail', MYSQL_ERRNO = 5001; END IF; SELECT 2 AS behind_it; END //
CREATE PROCEDURE main_0000.counts_too(w VARCHAR(40)) INSERT INTO main_0000.counted (word) VALUES (w) //
