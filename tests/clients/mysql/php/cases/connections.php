<?php
// SPDX-License-Identifier: Apache-2.0
// Connections: state, users, persistence, compression, refusals.
declare(strict_types=1);

add('settings of each connection are its own', function (): void {
    $all = [my(), my(), my(), my()];
    foreach ($all as $i => $one) {
        $one->query("SET time_zone = '+0$i:00', group_concat_max_len = 100$i");
    }
    for ($round = 0; $round < 3; $round++) {
        foreach ($all as $i => $one) {
            same($one->query('SELECT @@time_zone, @@group_concat_max_len')->fetch_row(), ["+0$i:00", "100$i"]);
        }
    }
});

add('another database is selected', function (): void {
    $one = my();
    $one->select_db('annex');
    $two = my();
    for ($i = 0; $i < 3; $i++) {
        same([value($one, 'SELECT database()'), value($two, 'SELECT database()')], ['annex', 'shop']);
    }
});

add('an initial command is run', function (): void {
    $one = my([MYSQLI_INIT_COMMAND => 'SET group_concat_max_len = 4321']);
    for ($i = 0; $i < 3; $i++) {
        same(value($one, 'SELECT @@group_concat_max_len'), '4321');
    }
});

add('temporary tables, variables and locks', function (): void {
    $one = my();
    $two = my();
    $one->query('CREATE TEMPORARY TABLE mine (a int)');
    $one->query('SET @x = 5');
    same(value($one, "SELECT get_lock('php', 1)"), '1');
    same(value($two, "SELECT get_lock('php', 0)"), '0');
    same(code(fn () => $two->query('SELECT * FROM mine')), 1146);
    same(value($one, 'SELECT count(*) + @x FROM mine'), '5');
    same(value($one, "SELECT release_lock('php')"), '1');
});

add('another user takes over', function (): void {
    $one = my();
    $one->query('SET @x = 1');
    $one->change_user(getenv('CLIENT_USER'), getenv('CLIENT_PASSWORD'), 'annex');
    same($one->query('SELECT @x, database()')->fetch_row(), [null, 'annex']);
});

add('another user with a wrong password is refused', function (): void {
    $one = my();
    same(code(fn () => $one->change_user(getenv('CLIENT_USER'), 'wrong', 'annex')), 1045);
});

add('persistent connections are reset between their users', function (): void {
    for ($i = 0; $i < 3; $i++) {
        $one = my([], 0, 'p:');
        same(value($one, 'SELECT @x'), null);
        $one->query('SET @x = 1');
        $one->close();
    }
});

add('compression', function (): void {
    $one = my([], MYSQLI_CLIENT_COMPRESS);
    same(value($one, "SELECT repeat('x', 100000)"), str_repeat('x', 100000));
    $t = numbers($one);
    same(count($one->query("SELECT * FROM $t")->fetch_all()), 4096);
});

add('ping, statistics and information', function (): void {
    $one = my();
    same(str_contains($one->stat(), 'Uptime'), true);
    same(str_starts_with(value($one, 'SELECT version()'), explode('-', str_replace('5.5.5-', '', $one->server_info))[0]), true);
    same($one->refresh(0) || true, true);
});

add('the connection\'s number', function (): void {
    $one = my();
    for ($i = 0; $i < 3; $i++) {
        same((int) value($one, 'SELECT connection_id()'), $one->thread_id);
    }
});

add('a query is killed', function (): void {
    $one = my();
    $two = my();
    $one->query('SELECT sleep(5)', MYSQLI_ASYNC);
    usleep(300000);
    $two->query("KILL QUERY $one->thread_id");
    $got = code(function () use ($one): void {
        same($one->reap_async_query()->fetch_row()[0], '1');
    });
    same(in_array($got, [0, 1317], true), true);
    same(value($one, 'SELECT 1'), '1');
});

add('thirty connections, one after the other', function (): void {
    for ($i = 0; $i < 30; $i++) {
        $one = my();
        same(value($one, 'SELECT ?', [$i]), "$i");
        $one->close();
    }
});

add('wrong passwords and unknown users are refused', function (): void {
    foreach ([[getenv('CLIENT_USER'), 'wrong'], ['nobody', 'x']] as [$user, $password]) {
        same(code(fn () => new mysqli(getenv('CLIENT_HOST'), $user, $password, 'shop', (int) getenv('CLIENT_PORT'))), 1045);
    }
});
