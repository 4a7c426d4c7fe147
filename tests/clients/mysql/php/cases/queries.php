<?php
// SPDX-License-Identifier: Apache-2.0
// Texts: results, transactions, several statements, procedures, files.
declare(strict_types=1);

add('queries, counts and generated ids', function (): void {
    $one = my();
    $t = table($one);
    $one->query("INSERT INTO $t (v) VALUES ('a'), ('b')");
    same([$one->affected_rows, $one->insert_id], [2, 1]);
    same($one->query("SELECT id, v FROM $t ORDER BY id")->fetch_all(), [['1', 'a'], ['2', 'b']]);
});

add('transactions commit and roll back', function (): void {
    $one = my();
    $t = table($one);
    $one->begin_transaction();
    $one->query("INSERT INTO $t (v) VALUES ('kept')");
    $one->commit();
    $one->begin_transaction(MYSQLI_TRANS_START_READ_WRITE);
    $one->query("INSERT INTO $t (v) VALUES ('undone')");
    $one->rollback();
    same(value($one, "SELECT group_concat(v) FROM $t"), 'kept');
});

add('autocommit switched off and on', function (): void {
    $one = my();
    $two = my();
    $t = table($one);
    $one->autocommit(false);
    $one->query("INSERT INTO $t (v) VALUES ('x')");
    same(value($two, "SELECT count(*) FROM $t"), '0');
    $one->autocommit(true);
    same(value($two, "SELECT count(*) FROM $t"), '1');
});

add('savepoints', function (): void {
    $one = my();
    $t = table($one);
    $one->begin_transaction();
    $one->savepoint('s');
    $one->query("INSERT INTO $t (v) VALUES ('x')");
    $one->query('ROLLBACK TO SAVEPOINT s');
    $one->release_savepoint('s');
    $one->commit();
    same(value($one, "SELECT count(*) FROM $t"), '0');
});

add('errors have their numbers', function (): void {
    $one = my();
    same(code(fn () => $one->query('SELEC 1')), 1064);
    same(code(fn () => $one->query('SELECT * FROM nowhere')), 1146);
    same($one->sqlstate, '42S02');
    same(value($one, 'SELECT 1'), '1');
});

add('several statements in one', function (): void {
    $one = my();
    for ($i = 0; $i < 3; $i++) {
        $one->multi_query("SELECT $i; SELECT 'x'; SET @a = 1; SELECT 'y'");
        $got = [];
        do {
            if ($result = $one->store_result()) {
                $got[] = $result->fetch_row()[0];
            }
        } while ($one->more_results() && $one->next_result());
        same($got, ["$i", 'x', 'y']);
    }
    same(code(fn () => $one->query('SELECT 1; SELECT 2')), 1064);
});

add('an error among several statements', function (): void {
    $one = my();
    $one->multi_query('SELECT 1; SELECT * FROM nowhere; SELECT 2');
    $one->store_result();
    same(code(fn () => $one->next_result()), 1146);
    same(value($one, 'SELECT 3'), '3');
});

add('a procedure with results and parameters', function (): void {
    $one = my();
    $one->query('DROP PROCEDURE IF EXISTS pp');
    $one->query('CREATE PROCEDURE pp (IN a int, OUT b int) BEGIN SELECT a; SET b = a * 2; END');
    for ($i = 0; $i < 3; $i++) {
        $result = $one->query("CALL pp($i, @b)");
        same($result->fetch_row()[0], "$i");
        $result->free();
        while ($one->more_results()) {
            $one->next_result();
        }
        same(value($one, 'SELECT @b'), (string) ($i * 2));
    }
});

function numbers(mysqli $one): string
{
    $t = table($one, 'n int PRIMARY KEY, pad varchar(300)');
    $one->query("INSERT INTO $t VALUES (0, repeat('x', 250))");
    for ($size = 1; $size < 4096; $size *= 2) {
        $one->query("INSERT INTO $t SELECT n + $size, pad FROM $t");
    }
    return $t;
}

add('unbuffered rows', function (): void {
    $one = my();
    $t = numbers($one);
    $result = $one->query("SELECT n FROM $t ORDER BY n", MYSQLI_USE_RESULT);
    for ($i = 0; $row = $result->fetch_row(); $i++) {
        same($row[0], (string) $i);
    }
    $result->free();
    same($i, 4096);
    $result = $one->query("SELECT n FROM $t", MYSQLI_USE_RESULT);
    $result->fetch_row();
    $result->free();
    same(value($one, 'SELECT 1'), '1');
});

add('two queries at once', function (): void {
    $all = [my(), my()];
    foreach ($all as $i => $one) {
        $one->query("SELECT sleep(0.1), $i", MYSQLI_ASYNC);
    }
    $waiting = $all;
    $done = 0;
    while ($waiting) {
        $read = $error = $reject = array_values($waiting);
        if (!mysqli_poll($read, $error, $reject, 5)) {
            throw new Exception('no answer');
        }
        foreach ($read as $one) {
            same($one->reap_async_query()->fetch_row()[1], (string) array_search($one, $all, true));
            $waiting = array_filter($waiting, fn ($each) => $each !== $one);
            $done++;
        }
    }
    same($done, 2);
});

add('a local file is loaded', function (): void {
    $one = my([MYSQLI_OPT_LOCAL_INFILE => true]);
    $t = table($one, 'a text');
    $one->query("LOAD DATA LOCAL INFILE '" . __FILE__ . "' INTO TABLE $t");
    same((int) value($one, "SELECT count(*) FROM $t"), count(file(__FILE__)));
});

add('texts in several character sets', function (): void {
    $one = my();
    foreach (['utf8mb4' => 'Grüße € 🎉', 'latin1' => "Gr\xfc\xdfe"] as $charset => $text) {
        $one->set_charset($charset);
        for ($i = 0; $i < 3; $i++) {
            same(value($one, "SELECT '$text'"), $text);
            same($one->character_set_name(), $charset);
        }
    }
});

add('found rows, where the client asked for them', function (): void {
    $changed = my();
    $found = my([], MYSQLI_CLIENT_FOUND_ROWS);
    $t = table($changed);
    $changed->query("INSERT INTO $t VALUES (1, 'same')");
    for ($i = 0; $i < 4; $i++) {
        $changed->query("UPDATE $t SET v = 'same'");
        $found->query("UPDATE $t SET v = 'same'");
        same([$changed->affected_rows, $found->affected_rows], [0, 1]);
    }
});

add('warnings within a transaction', function (): void {
    $one = my();
    $t = table($one, 'a tinyint');
    $one->query("SET sql_mode = ''");
    $one->begin_transaction();
    $one->query("INSERT INTO $t VALUES (1000)");
    same([$one->warning_count, $one->get_warnings()->errno], [1, 1264]);
    $one->rollback();
});
