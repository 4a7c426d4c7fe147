<?php
// SPDX-License-Identifier: Apache-2.0
// Runs the cases and prints the outcome of each: `ok NAME` or `not ok NAME: WHY`, and `done` at the end. Connects where
// libpq's environment variables say.
declare(strict_types=1);

error_reporting(E_ALL);
set_error_handler(function (int $kind, string $message, string $file, int $line): bool {
    if (!(error_reporting() & $kind)) {
        return true; // silenced with @
    }
    throw new ErrorException($message, 0, $kind, $file, $line);
});

/** @var array<string, callable> */
$cases = [];

function add(string $name, callable $body): void
{
    global $cases;
    $cases[$name] = $body;
}

/** Prepared by the server, prepared by the server at each execution, or put together by PDO. */
function add_every_way(string $name, callable $body): void
{
    add($name, fn () => $body([]));
    add("$name, emulated", fn () => $body([PDO::ATTR_EMULATE_PREPARES => true]));
    add("$name, prepares disabled", fn () => $body([PDO::PGSQL_ATTR_DISABLE_PREPARES => true]));
}

function pdo(array $options = [], string $more = ''): PDO
{
    $place = sprintf('pgsql:host=%s;port=%s;dbname=%s', getenv('PGHOST'), getenv('PGPORT'), getenv('PGDATABASE'));
    return new PDO($place . ($more === '' ? '' : ";$more"), getenv('PGUSER'), getenv('PGPASSWORD'),
        $options + [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);
}

/** A connection of the pgsql functions, never one that exists already. */
function pg(string $more = ''): PgSql\Connection
{
    return pg_connect("dbname=" . getenv('PGDATABASE') . " $more", PGSQL_CONNECT_FORCE_NEW);
}

/** A new table of these columns; its name. */
function table(PDO|PgSql\Connection $connection, string $columns): string
{
    static $count = 0;
    $name = 'p' . ++$count;
    if ($connection instanceof PDO) {
        $connection->exec("CREATE TABLE $name ($columns)");
    } else {
        pg_query($connection, "CREATE TABLE $name ($columns)");
    }
    return $name;
}

/** The first column of the first row, as text. */
function value(PDO|PgSql\Connection $connection, string $sql, array $values = []): ?string
{
    if ($connection instanceof PgSql\Connection) {
        $result = $values ? pg_query_params($connection, $sql, $values) : pg_query($connection, $sql);
        return pg_num_rows($result) ? pg_fetch_result($result, 0, 0) : null;
    }
    $statement = $connection->prepare($sql);
    $statement->execute($values);
    $got = $statement->fetchColumn();
    if (is_bool($got)) {
        return $got ? 't' : 'f';
    }
    return $got === null ? null : (string) $got;
}

/** The SQLSTATE that the body fails with. */
function state(callable $body): string
{
    try {
        $body();
    } catch (PDOException $error) {
        return (string) ($error->errorInfo[0] ?? $error->getCode());
    }
    return 'none';
}

function same(mixed $expected, mixed $got): void
{
    if ($expected !== $got) {
        throw new Exception('expected <' . substr(var_export($expected, true), 0, 200) . '>, got <'
            . substr(var_export($got, true), 0, 200) . '>');
    }
}

function holds(bool $condition, string $what): void
{
    if (!$condition) {
        throw new Exception($what);
    }
}

foreach (['pdo', 'transactions', 'functions'] as $part) {
    require __DIR__ . "/cases/$part.php";
}
foreach ($cases as $name => $body) {
    if ($argc > 1 && !array_filter(array_slice($argv, 1), fn ($part) => str_contains($name, $part))) {
        continue;
    }
    $from = hrtime(true);
    try {
        $body();
        print "ok $name\n";
    } catch (Throwable $error) {
        $place = [];
        foreach ([['file' => $error->getFile(), 'line' => $error->getLine()], ...$error->getTrace()] as $frame) {
            if (str_contains($frame['file'] ?? '', '/cases/')) {
                $place[] = basename($frame['file']) . ' ' . $frame['line'];
            }
        }
        print "not ok $name: " . str_replace("\n", ' ', $error->getMessage()) . ' at ' . implode(' ', $place) . "\n";
    }
    gc_collect_cycles();
    if (hrtime(true) - $from > 1e9) {
        printf("# %s took %d ms\n", $name, (hrtime(true) - $from) / 1e6);
    }
}
print "done\n";
