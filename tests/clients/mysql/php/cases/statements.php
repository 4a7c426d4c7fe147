<?php
// SPDX-License-Identifier: Apache-2.0
// Prepared statements of mysqli and PDO.
declare(strict_types=1);

add('a prepared statement is executed many times', function (): void {
    $one = my();
    $statement = $one->prepare('SELECT ? + 1, ?');
    $number = 0;
    $text = '';
    $statement->bind_param('is', $number, $text);
    for ($number = 0; $number < 30; $number++) {
        $text = "t$number";
        $statement->execute();
        same($statement->get_result()->fetch_row(), [$number + 1, $text]);
    }
    $statement->close();
});

add('results bound to variables', function (): void {
    $one = my();
    $t = table($one, 'a int, b varchar(20), c double');
    $statement = $one->prepare("INSERT INTO $t VALUES (?, ?, ?)");
    foreach ([[1, 'x', 1.5], [2, null, 2.5]] as $row) {
        $statement->execute($row);
        same($statement->affected_rows, 1);
    }
    $statement = $one->prepare("SELECT * FROM $t ORDER BY a");
    $statement->execute();
    $statement->bind_result($a, $b, $c);
    $got = [];
    while ($statement->fetch()) {
        $got[] = [$a, $b, $c];
    }
    same($got, [[1, 'x', 1.5], [2, null, 2.5]]);
});

add('two statements by turns', function (): void {
    $one = my();
    $first = $one->prepare('SELECT ? * 2');
    $second = $one->prepare('SELECT concat(?, ?)');
    for ($i = 0; $i < 10; $i++) {
        $first->execute([$i]);
        same((string) $first->get_result()->fetch_row()[0], (string) ($i * 2));
        $second->execute(['a', $i]);
        same($second->get_result()->fetch_row()[0], "a$i");
    }
});

add('a statement of one transaction in the next', function (): void {
    $one = my();
    $t = table($one);
    $statement = $one->prepare("INSERT INTO $t (v) VALUES (?)");
    for ($i = 0; $i < 6; $i++) {
        $one->begin_transaction();
        $statement->execute(["v$i"]);
        $i % 2 ? $one->commit() : $one->rollback();
    }
    same(value($one, "SELECT count(*) FROM $t"), '3');
});

add('statements on eight connections', function (): void {
    $all = array_map(fn () => my()->prepare('SELECT ? * 2'), range(1, 8));
    for ($round = 0; $round < 3; $round++) {
        foreach ($all as $i => $statement) {
            $statement->execute([$i]);
            same((string) $statement->get_result()->fetch_row()[0], (string) ($i * 2));
        }
    }
});

add('a cursor of a prepared statement', function (): void {
    $one = my();
    $t = numbers($one);
    $statement = $one->prepare("SELECT n FROM $t WHERE n >= ? ORDER BY n");
    $statement->attr_set(MYSQLI_STMT_ATTR_CURSOR_TYPE, MYSQLI_CURSOR_TYPE_READ_ONLY);
    $from = 96;
    $statement->bind_param('i', $from);
    $statement->execute();
    $statement->bind_result($n);
    for ($i = 0; $statement->fetch(); $i++) {
        same($n, $i + 96);
    }
    same($i, 4000);
    $statement->close();
    same(value($one, 'SELECT 1'), '1');
});

add('long data is sent in pieces', function (): void {
    $one = my();
    $t = table($one, 'v longblob');
    $statement = $one->prepare("INSERT INTO $t VALUES (?)");
    $null = null;
    $statement->bind_param('b', $null);
    for ($i = 0; $i < 40; $i++) {
        $statement->send_long_data(0, str_repeat(chr(65 + $i % 26), 100000));
    }
    $statement->execute();
    same(value($one, "SELECT length(v) FROM $t"), '4000000');
    $statement->reset();
});

add('a statement with an error goes on', function (): void {
    $one = my();
    $t = table($one);
    $statement = $one->prepare("INSERT INTO $t VALUES (?, 'x')");
    $statement->execute([1]);
    same(code(fn () => $statement->execute([1])), 1062);
    $statement->execute([2]);
    same(code(fn () => $one->prepare('SELECT * FROM nowhere')), 1146);
    same(value($one, "SELECT count(*) FROM $t"), '2');
});

add('a procedure called by a statement', function (): void {
    $one = my();
    $one->query('DROP PROCEDURE IF EXISTS ps');
    $one->query('CREATE PROCEDURE ps (IN a int) BEGIN SELECT a; SELECT a + 1; END');
    $statement = $one->prepare('CALL ps(?)');
    for ($i = 0; $i < 3; $i++) {
        $statement->execute([$i]);
        $got = [];
        do {
            if ($result = $statement->get_result()) {
                $got[] = (int) $result->fetch_row()[0];
            }
        } while ($statement->more_results() && $statement->next_result());
        same($got, [$i, $i + 1]);
    }
});

add('a table that changes under a statement', function (): void {
    $one = my();
    $t = table($one);
    $one->query("INSERT INTO $t VALUES (1, 'a')");
    $statement = $one->prepare("SELECT * FROM $t");
    $statement->execute();
    same(count($statement->get_result()->fetch_row()), 2);
    my()->query("ALTER TABLE $t ADD COLUMN w int DEFAULT 7");
    for ($i = 0; $i < 3; $i++) {
        same($one->execute_query("SELECT * FROM $t")->fetch_row(), [1, 'a', 7]);
    }
});

foreach (['emulated' => true, 'prepared' => false] as $way => $emulated) {
    add("PDO, $way: transactions and values", function () use ($emulated): void {
        $one = pdo([PDO::ATTR_EMULATE_PREPARES => $emulated]);
        $t = table($one, 'id int PRIMARY KEY AUTO_INCREMENT, v varchar(200), b blob, d decimal(10,3)');
        $insert = $one->prepare("INSERT INTO $t (v, b, d) VALUES (:v, :b, :d)");
        for ($i = 0; $i < 6; $i++) {
            $one->beginTransaction();
            $insert->execute(['v' => "v'$i 🎉", 'b' => "\0\xff", 'd' => '1.500']);
            $i % 2 ? $one->commit() : $one->rollBack();
        }
        $rows = $one->query("SELECT v, b, d FROM $t ORDER BY id")->fetchAll(PDO::FETCH_NUM);
        same([count($rows), $rows[0]], [3, ["v'1 🎉", "\0\xff", '1.500']]);
        same($one->lastInsertId() !== '', true);
    });

    add("PDO, $way: errors and unbuffered rows", function () use ($emulated): void {
        $one = pdo([PDO::ATTR_EMULATE_PREPARES => $emulated, PDO::MYSQL_ATTR_USE_BUFFERED_QUERY => false]);
        same(code(fn () => $one->prepare('SELECT * FROM nowhere WHERE a = ?')->execute([1])), 1146);
        $statement = $one->prepare('SELECT ? UNION ALL SELECT ?');
        for ($i = 0; $i < 3; $i++) {
            $statement->execute(["a$i", 'b']);
            same($statement->fetchAll(PDO::FETCH_COLUMN), ["a$i", 'b']);
            $statement->closeCursor();
        }
    });
}
