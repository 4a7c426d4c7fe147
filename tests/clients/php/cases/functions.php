<?php
// SPDX-License-Identifier: Apache-2.0
// The pgsql functions, which are libpq's: synchronous and asynchronous, COPY line by line, large objects, cancelling.
declare(strict_types=1);

add('pg_prepare, pg_execute and pg_query_params', function (): void {
    $connection = pg();
    pg_prepare($connection, 'double', 'SELECT $1::int * 2');
    for ($i = 0; $i < 10; $i++) {
        same((string) (2 * $i), pg_fetch_result(pg_execute($connection, 'double', [$i]), 0, 0));
        same((string) $i, value($connection, 'SELECT $1::int', [$i]));
        pg_query($connection, $i % 2 ? 'COMMIT' : 'BEGIN');
    }
});

add('the same name in two connections', function (): void {
    $one = pg();
    $two = pg();
    pg_prepare($one, 'same', 'SELECT $1 || \'one\'');
    pg_prepare($two, 'same', 'SELECT $1 || \'two\'');
    for ($i = 0; $i < 8; $i++) {
        same('=one', pg_fetch_result(pg_execute($one, 'same', ['=']), 0, 0));
        same('=two', pg_fetch_result(pg_execute($two, 'same', ['=']), 0, 0));
    }
});

add('the unnamed statement', function (): void {
    $connection = pg();
    $other = pg();
    pg_prepare($connection, '', 'SELECT $1::int + 1');
    for ($i = 0; $i < 8; $i++) {
        same((string) ($i + 1), pg_fetch_result(pg_execute($connection, '', [$i]), 0, 0));
        same('other', value($other, 'SELECT $1', ['other']));
    }
});

add('names that are taken or unknown', function (): void {
    $connection = pg();
    pg_prepare($connection, 'taken', 'SELECT 1');
    pg_send_prepare($connection, 'taken', 'SELECT 2');
    same('42P05', pg_result_error_field(pg_get_result($connection), PGSQL_DIAG_SQLSTATE));
    pg_get_result($connection);
    pg_send_execute($connection, 'unknown', []);
    same('26000', pg_result_error_field(pg_get_result($connection), PGSQL_DIAG_SQLSTATE));
    pg_get_result($connection);
    same('1', pg_fetch_result(pg_execute($connection, 'taken', []), 0, 0));
});

add('DEALLOCATE of a name given by the protocol', function (): void {
    $connection = pg();
    for ($i = 0; $i < 4; $i++) {
        pg_prepare($connection, 'mine', "SELECT $i");
        same((string) $i, pg_fetch_result(pg_execute($connection, 'mine', []), 0, 0));
        pg_query($connection, $i % 2 ? 'DEALLOCATE mine' : 'DEALLOCATE ALL');
    }
});

add('a name given by PREPARE is used by the protocol', function (): void {
    $connection = pg();
    pg_query($connection, 'PREPARE by_sql (int) AS SELECT $1 + 1');
    for ($i = 0; $i < 5; $i++) {
        same((string) ($i + 1), pg_fetch_result(pg_execute($connection, 'by_sql', [$i]), 0, 0));
        same((string) ($i + 1), value($connection, "EXECUTE by_sql($i)"));
    }
});

add('a name given by the protocol is used by EXECUTE', function (): void {
    $connection = pg();
    pg_prepare($connection, 'by_protocol', 'SELECT $1::int + 1');
    for ($i = 0; $i < 5; $i++) {
        same((string) ($i + 1), value($connection, "EXECUTE by_protocol($i)"));
    }
});

add('COPY line by line', function (): void {
    $connection = pg();
    $name = table($connection, 'id int, body text');
    for ($round = 0; $round < 3; $round++) {
        pg_query($connection, "COPY $name FROM STDIN");
        for ($i = 0; $i < 1000; $i++) {
            pg_put_line($connection, "$i\tline $i\n");
        }
        pg_put_line($connection, "\\.\n");
        holds(pg_end_copy($connection), 'copied');
        same(1000 * ($round + 1), count(pg_copy_to($connection, $name)));
    }
    holds(pg_copy_from($connection, $name, ["1\tone\n", "2\ttwo\n"]), 'copied');
    same('3002', value($connection, "SELECT count(*) FROM $name"));
});

add('insert, select, update and delete of arrays', function (): void {
    $connection = pg();
    $name = table($connection, 'id int, body text');
    for ($i = 0; $i < 5; $i++) {
        holds((bool) pg_insert($connection, $name, ['id' => $i, 'body' => "it's"]), 'inserted');
        same([['id' => (string) $i, 'body' => "it's"]], pg_select($connection, $name, ['id' => $i]));
        holds(pg_update($connection, $name, ['body' => 'new'], ['id' => $i]), 'updated');
        holds(pg_delete($connection, $name, ['id' => $i, 'body' => 'new']), 'deleted');
    }
});

add('large objects of the pgsql functions', function (): void {
    $connection = pg();
    for ($i = 0; $i < 3; $i++) {
        pg_query($connection, 'BEGIN');
        $oid = pg_lo_create($connection);
        $object = pg_lo_open($connection, $oid, 'r+');
        pg_lo_write($object, 'hello large world');
        pg_lo_seek($object, 6, PGSQL_SEEK_SET);
        same('large', pg_lo_read($object, 5));
        pg_lo_truncate($object, 5);
        pg_lo_close($object);
        pg_query($connection, 'COMMIT');
        pg_query($connection, 'BEGIN');
        $object = pg_lo_open($connection, $oid, 'r');
        same('hello', pg_lo_read($object, 100));
        holds(pg_lo_unlink($connection, $oid), 'removed');
        pg_query($connection, 'COMMIT');
    }
});

add('asynchronous queries in six connections at a time', function (): void {
    $connections = array_map(fn () => pg(), range(1, 6));
    foreach ($connections as $i => $connection) {
        holds((bool) pg_send_query_params($connection, 'SELECT $1::int FROM pg_sleep(0.05)', [$i]), 'sent');
    }
    foreach ($connections as $i => $connection) {
        same((string) $i, pg_fetch_result(pg_get_result($connection), 0, 0));
        same(false, pg_get_result($connection));
    }
});

add('several results of one text, asynchronously', function (): void {
    $connection = pg();
    pg_send_query($connection, "SELECT 1; SELECT 'two'; SELECT 1/0; SELECT 4");
    same('1', pg_fetch_result(pg_get_result($connection), 0, 0));
    same('two', pg_fetch_result(pg_get_result($connection), 0, 0));
    same('22012', pg_result_error_field(pg_get_result($connection), PGSQL_DIAG_SQLSTATE));
    same(false, pg_get_result($connection));
    same('5', value($connection, 'SELECT 5'));
});

add('a running query is cancelled', function (): void {
    $connection = pg();
    for ($i = 0; $i < 3; $i++) {
        pg_send_query($connection, 'SELECT pg_sleep(20)');
        usleep(100_000);
        holds(pg_cancel_query($connection), 'cancelled');
        same('1', value($connection, 'SELECT 1'));
    }
});

add('a cursor declared in a transaction', function (): void {
    $connection = pg();
    pg_query($connection, 'BEGIN');
    pg_query($connection, 'DECLARE numbers SCROLL CURSOR FOR SELECT generate_series(1, 100)');
    same(10, pg_num_rows(pg_query($connection, 'FETCH 10 FROM numbers')));
    same('100', value($connection, 'FETCH LAST FROM numbers'));
    same('99', value($connection, 'FETCH PRIOR FROM numbers'));
    pg_query($connection, 'COMMIT');
    same('1', value($connection, 'SELECT 1'));
});

add('notices, errors and parameters of the connection', function (): void {
    $connection = pg();
    pg_set_error_verbosity($connection, PGSQL_ERRORS_VERBOSE);
    pg_query($connection, "DO $$ BEGIN RAISE NOTICE 'heard'; END $$");
    holds(str_contains(pg_last_notice($connection), 'heard'), 'a notice');
    same(false, @pg_query($connection, 'SELECT 1/0'));
    holds(str_contains(pg_last_error($connection), '22012'), pg_last_error($connection));
    same('UTF8', pg_client_encoding($connection));
    same(0, pg_set_client_encoding($connection, 'LATIN1'));
    same("\xe4", value($connection, "SELECT U&'\\00e4'"));
    same('LATIN1', pg_parameter_status($connection, 'client_encoding'));
    same(PGSQL_TRANSACTION_IDLE, pg_transaction_status($connection));
    holds(pg_ping($connection), 'alive');
});

add('the same bytes of a text in two encodings', function (): void {
    $latin = pg("options='-c client_encoding=LATIN1'");
    $utf = pg();
    same('LATIN1', pg_parameter_status($latin, 'client_encoding'));
    foreach ([$latin, $utf] as $connection) {
        pg_prepare($connection, 'letters', "SELECT length('\xc3\xa4' || $1)"); // one letter in UTF-8, two in LATIN1
    }
    for ($i = 0; $i < 6; $i++) {
        same('3', pg_fetch_result(pg_execute($latin, 'letters', ['x']), 0, 0));
        same('2', pg_fetch_result(pg_execute($utf, 'letters', ['x']), 0, 0));
        same("\xe4", value($latin, 'SELECT chr(228) || $1', ['']));
    }
});

add('an encoding whose characters end in a backslash', function (): void {
    $connection = pg();
    pg_set_client_encoding($connection, 'SJIS');
    for ($i = 0; $i < 4; $i++) {
        same("\x95\x5c", value($connection, 'SELECT $1', ["\x95\x5c"]));
        same("\x95\x5c';--", value($connection, "SELECT '\x95\x5c'';--'"));
    }
});

add('a connection is reset', function (): void {
    $connection = pg();
    for ($i = 0; $i < 3; $i++) {
        pg_query($connection, 'BEGIN; CREATE TABLE never_reset (id int)');
        holds(pg_connection_reset($connection), 'reset');
        same('0', value($connection, "SELECT count(*) FROM pg_class WHERE relname = 'never_reset'"));
    }
});

add('persistent connections of the pgsql functions', function (): void {
    for ($i = 0; $i < 5; $i++) {
        $connection = pg_pconnect('dbname=' . getenv('PGDATABASE'));
        same((string) $i, value($connection, 'SELECT $1::int', [$i]));
        pg_close($connection);
    }
});

add('LISTEN hears what others NOTIFY', function (): void {
    $listener = pg();
    $other = pg();
    pg_query($listener, 'LISTEN news');
    for ($i = 0; $i < 3; $i++) {
        value($other, "SELECT pg_notify('news', $1)", ["number $i"]);
        for ($wait = 0; ($heard = pg_get_notify($listener, PGSQL_ASSOC)) === false && $wait < 100; $wait++) {
            usleep(20_000);
        }
        same(['news', "number $i"], [$heard['message'], $heard['payload']]);
    }
});
