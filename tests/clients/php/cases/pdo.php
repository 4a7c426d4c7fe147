<?php
// SPDX-License-Identifier: Apache-2.0
// PDO: statements prepared in three ways and deallocated as PDO does it, types, bytes, large objects, COPY, cursors.
declare(strict_types=1);

add_every_way('queries with parameters', function (array $options): void {
    $pdo = pdo($options);
    for ($i = 0; $i < 20; $i++) {
        same((string) ($i + 1), value($pdo, 'SELECT ?::int + 1', [$i]));
        same("text $i", value($pdo, "SELECT 'text ' || :n", ['n' => (string) $i]));
        same(null, value($pdo, 'SELECT ?::text', [null]));
    }
});

add_every_way('a statement is executed again over transactions', function (array $options): void {
    $pdo = pdo($options);
    $name = table($pdo, 'id int, body text');
    $insert = $pdo->prepare("INSERT INTO $name VALUES (?, ?)");
    $select = $pdo->prepare("SELECT body FROM $name WHERE id = ?");
    for ($i = 0; $i < 30; $i++) {
        if ($i % 3 === 0) {
            $pdo->beginTransaction();
        }
        $insert->execute([$i, "body $i"]);
        $select->execute([$i]);
        same(["body $i"], $select->fetchAll(PDO::FETCH_COLUMN));
        if ($i % 3 === 0) {
            $pdo->commit();
        }
    }
    same('30', value($pdo, "SELECT count(*) FROM $name"));
});

add_every_way('statements are made and dropped, and PDO deallocates each', function (array $options): void {
    $pdo = pdo($options);
    $neighbour = pdo($options);
    for ($i = 0; $i < 60; $i++) {
        $statement = $pdo->prepare('SELECT ?::int * ' . $i % 7);
        $statement->execute([$i]);
        same($i * ($i % 7), $statement->fetchColumn());
        same((string) $i, value($neighbour, 'SELECT ?::int', [$i]));
        unset($statement);
    }
});

add_every_way('an error in a statement leaves it usable', function (array $options): void {
    $pdo = pdo($options);
    $divide = $pdo->prepare('SELECT 10 / ?::int');
    for ($i = 0; $i < 5; $i++) {
        $divide->execute([2]);
        same(5, $divide->fetchColumn());
        same('22012', state(fn () => $divide->execute([0])));
        same('42P01', state(fn () => $pdo->query('SELECT * FROM nowhere')));
    }
});

add('a statement is dropped in a failed transaction', function (): void {
    $pdo = pdo();
    for ($i = 0; $i < 4; $i++) {
        $pdo->beginTransaction();
        $statement = $pdo->prepare('SELECT 1 / ?::int');
        same('22012', state(fn () => $statement->execute([0])));
        unset($statement); // its DEALLOCATE is refused with 25P02, which PDO keeps to itself
        same('25P02', state(fn () => $pdo->query('SELECT 1')));
        $pdo->rollBack();
        same('1', value($pdo, 'SELECT 1'));
    }
});

add_every_way('types go there and back', function (array $options): void {
    $pdo = pdo($options);
    $values = ['int4' => -5, 'int8' => PHP_INT_MAX, 'numeric' => '1234567890.0987654321', 'text' => "ä ' \" \\ 😀 ?",
        'bool' => true, 'date' => '2024-02-29', 'timestamptz' => '2024-02-29 12:34:56.789+00', 'jsonb' => '{"a": null}',
        'uuid' => '0f8fad5b-d9cb-469f-a165-70867728950e', 'int4[]' => '{1,NULL,3}', 'interval' => '1 day 02:00:00'];
    foreach ($values as $type => $given) {
        $statement = $pdo->prepare("SELECT :given::$type");
        $kind = is_int($given) ? PDO::PARAM_INT : (is_bool($given) ? PDO::PARAM_BOOL : PDO::PARAM_STR);
        $statement->bindValue('given', $given, $kind);
        $statement->execute();
        same($given, $statement->fetchColumn());
    }
});

add_every_way('bytea of 2 MB', function (array $options): void {
    $pdo = pdo($options);
    $name = table($pdo, 'body bytea');
    $body = str_repeat("\0lease\\'\xff", 220_000);
    $insert = $pdo->prepare("INSERT INTO $name VALUES (?)");
    $insert->bindValue(1, $body, PDO::PARAM_LOB);
    $insert->execute();
    $select = $pdo->query("SELECT body, md5(body) AS digest FROM $name");
    $row = $select->fetch(PDO::FETCH_ASSOC);
    same(md5($body), $row['digest']);
    same(md5($body), md5(stream_get_contents($row['body'])));
});

add('large objects by PDO', function (): void {
    $pdo = pdo();
    for ($i = 0; $i < 3; $i++) {
        $pdo->beginTransaction();
        $oid = $pdo->pgsqlLOBCreate();
        $stream = $pdo->pgsqlLOBOpen($oid, 'w');
        fwrite($stream, str_repeat('leasehold ', 50_000));
        unset($stream);
        $pdo->commit();
        $pdo->beginTransaction();
        $stream = $pdo->pgsqlLOBOpen($oid, 'r');
        fseek($stream, 10);
        same('leasehold', fread($stream, 9));
        same(499_981, strlen(stream_get_contents($stream)));
        unset($stream);
        holds($pdo->pgsqlLOBUnlink($oid), 'removed');
        $pdo->commit();
    }
});

add('COPY by PDO, from and to an array and a file', function (): void {
    $pdo = pdo();
    $name = table($pdo, 'id int, body text');
    $rows = array_map(fn ($i) => "$i\trow $i", range(1, 5000));
    for ($i = 0; $i < 3; $i++) {
        holds($pdo->pgsqlCopyFromArray($name, $rows), 'copied in');
        same(5000, count($pdo->pgsqlCopyToArray($name)));
        $file = tempnam(sys_get_temp_dir(), 'copy');
        holds($pdo->pgsqlCopyToFile($name, $file), 'copied out');
        $pdo->exec("TRUNCATE $name");
        holds($pdo->pgsqlCopyFromFile($name, $file), 'copied in');
        unlink($file);
        same('5000', value($pdo, "SELECT count(*) FROM $name"));
        $pdo->exec("TRUNCATE $name");
    }
});

add('COPY by PDO of a bad row fails alone', function (): void {
    $pdo = pdo();
    $name = table($pdo, 'id int');
    for ($i = 0; $i < 3; $i++) {
        same('22P02', state(fn () => $pdo->pgsqlCopyFromArray($name, ['1', 'none', '3'])));
        same('0', value($pdo, "SELECT count(*) FROM $name"));
    }
    same('42P01', state(fn () => $pdo->pgsqlCopyFromArray('nowhere', ['1'])));
    same('1', value($pdo, 'SELECT 1'));
});

add('a scrollable cursor of PDO', function (): void {
    $pdo = pdo();
    for ($i = 0; $i < 3; $i++) {
        $pdo->beginTransaction();
        $statement = $pdo->prepare('SELECT generate_series(1, ?::int)', [PDO::ATTR_CURSOR => PDO::CURSOR_SCROLL]);
        $statement->execute([100]);
        same(1, $statement->fetchColumn());
        same(100, $statement->fetch(PDO::FETCH_NUM, PDO::FETCH_ORI_LAST)[0]);
        same(99, $statement->fetch(PDO::FETCH_NUM, PDO::FETCH_ORI_PRIOR)[0]);
        same(50, $statement->fetch(PDO::FETCH_NUM, PDO::FETCH_ORI_ABS, 50)[0]);
        unset($statement);
        $pdo->commit();
    }
});

add('several statements in one text', function (): void {
    $pdo = pdo();
    $name = table($pdo, 'id int');
    $pdo->exec("BEGIN; INSERT INTO $name VALUES (1), (2); UPDATE $name SET id = id + 1; COMMIT");
    same('5', value($pdo, "SELECT sum(id) FROM $name"));
    same('42601', state(fn () => value($pdo, 'SELECT ?::int; SELECT 2', [1])));
});

add('columns of a result are described', function (): void {
    $pdo = pdo();
    $name = table($pdo, 'id serial, body varchar(20)');
    $statement = $pdo->query("SELECT id, body FROM $name");
    same(['int4', $name], [$statement->getColumnMeta(0)['native_type'], $statement->getColumnMeta(0)['table']]);
    same('varchar', $statement->getColumnMeta(1)['native_type']);
});

add('the last identifier of a sequence in a transaction', function (): void {
    $pdo = pdo();
    $name = table($pdo, 'id serial, body text');
    for ($i = 1; $i < 6; $i++) {
        $pdo->beginTransaction();
        $pdo->exec("INSERT INTO $name (body) VALUES ('x')");
        same((string) $i, $pdo->lastInsertId("{$name}_id_seq"));
        same((string) $i, $pdo->lastInsertId());
        $pdo->commit();
    }
});

add('the last identifier of a sequence after its transaction', function (): void {
    $pdo = pdo();
    $other = pdo();
    $name = table($pdo, 'id serial, body text');
    for ($i = 1; $i < 60; $i++) {
        $pdo->exec("INSERT INTO $name (body) VALUES ('x')");
        same((string) (2 * $i - 1), $pdo->lastInsertId("{$name}_id_seq"));
        $other->exec("INSERT INTO $name (body) VALUES ('y')");
        same((string) (2 * $i), $other->lastInsertId());
    }
});

add('attributes of the connection', function (): void {
    $pdo = pdo();
    holds(str_starts_with($pdo->getAttribute(PDO::ATTR_SERVER_VERSION), '15.'), 'version');
    holds(str_contains($pdo->getAttribute(PDO::ATTR_SERVER_INFO), 'Client Encoding: UTF8'), 'info');
    holds(str_contains($pdo->getAttribute(PDO::ATTR_CONNECTION_STATUS), 'OK'), 'status');
    holds($pdo->pgsqlGetPid() > 0, 'pid');
});
