<?php
// SPDX-License-Identifier: Apache-2.0
// PDO: transactions, what a connection begins with, persistent connections, being refused.
declare(strict_types=1);

add_every_way('commit is seen by another connection and rollback is not', function (array $options): void {
    $pdo = pdo($options);
    $other = pdo($options);
    $name = table($pdo, 'id int');
    for ($i = 0; $i < 10; $i++) {
        $pdo->beginTransaction();
        value($pdo, "INSERT INTO $name VALUES (?) RETURNING id", [$i]);
        same((string) intdiv($i + 1, 2), value($other, "SELECT count(*) FROM $name"));
        holds($pdo->inTransaction(), 'in a transaction');
        $i % 2 ? $pdo->rollBack() : $pdo->commit();
        holds(!$pdo->inTransaction(), 'in none');
    }
});

add_every_way('savepoints and an error in a transaction', function (array $options): void {
    $pdo = pdo($options);
    $name = table($pdo, 'id int PRIMARY KEY');
    $pdo->beginTransaction();
    $pdo->exec("INSERT INTO $name VALUES (1); SAVEPOINT one");
    same('23505', state(fn () => value($pdo, "INSERT INTO $name VALUES (?)", [1])));
    same('25P02', state(fn () => $pdo->query('SELECT 1')));
    $pdo->exec('ROLLBACK TO one');
    $pdo->exec("INSERT INTO $name VALUES (2)");
    $pdo->commit();
    same('2', value($pdo, "SELECT count(*) FROM $name"));
});

add('a transaction begun by hand is ended by PDO', function (): void {
    $pdo = pdo();
    for ($i = 0; $i < 4; $i++) {
        $pdo->exec('BEGIN');
        holds($pdo->inTransaction(), 'PDO sees it');
        $i % 2 ? $pdo->rollBack() : $pdo->commit();
        same('1', value($pdo, 'SELECT ?::int', [1]));
    }
});

add('isolation levels and read only transactions', function (): void {
    $pdo = pdo();
    foreach (['SERIALIZABLE' => 'serializable', 'REPEATABLE READ' => 'repeatable read'] as $level => $shown) {
        $pdo->exec("BEGIN ISOLATION LEVEL $level READ ONLY");
        same($shown, value($pdo, 'SHOW transaction_isolation'));
        same('25006', state(fn () => $pdo->exec('CREATE TABLE never (id int)')));
        $pdo->rollBack();
        same('read committed', value($pdo, 'SHOW transaction_isolation'));
    }
});

add('a connection dropped in a transaction has rolled it back', function (): void {
    $pdo = pdo();
    $name = table($pdo, 'id int');
    for ($i = 0; $i < 5; $i++) {
        $leaver = pdo();
        $leaver->beginTransaction();
        $leaver->exec("LOCK TABLE $name; INSERT INTO $name VALUES (1)");
        unset($leaver);
    }
    $pdo->exec("SET lock_timeout = '10s'");
    same('0', value($pdo, "SELECT count(*) FROM $name"));
});

add('a persistent connection is used again', function (): void {
    for ($i = 0; $i < 5; $i++) {
        $pdo = pdo([PDO::ATTR_PERSISTENT => true]);
        same((string) $i, value($pdo, 'SELECT ?::int', [$i]));
        $pdo->beginTransaction();
        $pdo->exec('CREATE TABLE never_persistent (id int)');
        unset($pdo); // PDO rolls back what is left
    }
    $pdo = pdo([PDO::ATTR_PERSISTENT => true]);
    same('0', value($pdo, "SELECT count(*) FROM pg_class WHERE relname = 'never_persistent'"));
});

add('two persistent connections that differ are two', function (): void {
    $one = pdo([PDO::ATTR_PERSISTENT => true], 'application_name=persistent_one');
    $two = pdo([PDO::ATTR_PERSISTENT => true], 'application_name=persistent_two');
    for ($i = 0; $i < 4; $i++) {
        same('persistent_one', value($one, 'SHOW application_name'));
        same('persistent_two', value($two, 'SHOW application_name'));
    }
});

add('options with the connection', function (): void {
    $one = pdo([], "options='-c work_mem=7MB -c search_path=one,public'");
    $two = pdo([], "options='-c work_mem=8MB'");
    for ($i = 0; $i < 4; $i++) {
        same('7MB', value($one, 'SHOW work_mem'));
        same('one,public', value($one, 'SHOW search_path'));
        same('8MB', value($two, 'SHOW work_mem'));
    }
});

add("settings of one connection are no other's", function (): void {
    $one = pdo();
    $two = pdo();
    $one->exec("SET TIME ZONE 'Asia/Tokyo'; SET DateStyle = 'German'");
    for ($i = 0; $i < 4; $i++) {
        same('01.01.2024 09:00:00 JST', value($one, "SELECT '2024-01-01 00:00+00'::timestamptz"));
        same('2024-01-01 00:00:00+00', value($two, "SELECT '2024-01-01 00:00+00'::timestamptz"));
    }
});

add('a wrong password, database and option are refused', function (): void {
    $place = sprintf('pgsql:host=%s;port=%s;dbname=', getenv('PGHOST'), getenv('PGPORT'));
    $refusal = function (callable $connect): string {
        try {
            $connect();
            return 'let in';
        } catch (PDOException $error) {
            return $error->getMessage();
        }
    };
    $user = getenv('PGUSER');
    $wrong = $refusal(fn () => new PDO($place . getenv('PGDATABASE'), $user, 'wrong'));
    holds(str_contains($wrong, "password authentication failed for user \"$user\""), $wrong);
    $nowhere = $refusal(fn () => new PDO($place . 'nowhere', $user, getenv('PGPASSWORD')));
    holds(str_contains($nowhere, '"nowhere"'), $nowhere); // the words are leasehold's own
    $option = $refusal(fn () => pdo([], "options='-c work_mem=lots'"));
    holds(str_contains($option, 'invalid value for parameter "work_mem": "lots"'), $option);
});

add('forty connections one after the other', function (): void {
    for ($i = 0; $i < 40; $i++) {
        same((string) $i, value(pdo(), 'SELECT ?::int', [$i]));
    }
});

add('twenty connections at a time', function (): void {
    $all = array_map(fn () => pdo(), range(1, 20));
    $statements = array_map(fn ($pdo) => $pdo->prepare('SELECT ?::int + ?::int'), $all);
    for ($round = 0; $round < 5; $round++) {
        foreach ($statements as $i => $statement) {
            $statement->execute([$i, $round]);
            same($i + $round, $statement->fetchColumn());
        }
    }
});

add('a temporary table of the session', function (): void {
    $pdo = pdo();
    $pdo->exec('CREATE TEMP TABLE scratch (id int)');
    for ($i = 1; $i < 8; $i++) {
        $pdo->prepare('INSERT INTO scratch VALUES (?)')->execute([$i]);
        same((string) $i, value($pdo, 'SELECT count(*) FROM scratch'));
    }
});
