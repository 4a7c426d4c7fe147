<?php
// SPDX-License-Identifier: Apache-2.0
// PHP's mysqli and PDO: runs the cases and prints the outcome of each: `ok NAME` or `not ok NAME: WHY`, and `done`.
declare(strict_types=1);

error_reporting(E_ALL);
set_error_handler(function (int $kind, string $message, string $file, int $line): bool {
    if (!(error_reporting() & $kind)) {
        return true; // silenced with @
    }
    throw new ErrorException($message, 0, $kind, $file, $line);
});
mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);

/** @var array<string, callable> */
$cases = [];
/** @var list<mysqli> */
$opened = [];

function add(string $name, callable $body): void
{
    global $cases;
    $cases[$name] = $body;
}

/** @param array<int, mixed> $options */
function my(array $options = [], int $flags = 0, string $host = ''): mysqli
{
    global $opened;
    $connection = mysqli_init();
    foreach ($options as $option => $value) {
        $connection->options($option, $value);
    }
    $connection->real_connect($host . getenv('CLIENT_HOST'), getenv('CLIENT_USER'), getenv('CLIENT_PASSWORD'),
        getenv('CLIENT_DATABASE'), (int) getenv('CLIENT_PORT'), null, $flags);
    $opened[] = $connection;
    return $connection;
}

/** @param array<int, mixed> $options */
function pdo(array $options = [], string $more = ';charset=utf8mb4'): PDO
{
    $place = sprintf('mysql:host=%s;port=%s;dbname=%s', getenv('CLIENT_HOST'), getenv('CLIENT_PORT'), getenv('CLIENT_DATABASE'));
    return new PDO($place . $more, getenv('CLIENT_USER'), getenv('CLIENT_PASSWORD'),
        $options + [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);
}

/** A new table of these columns; its name. */
function table(PDO|mysqli $connection, string $columns = 'id int PRIMARY KEY AUTO_INCREMENT, v varchar(200)'): string
{
    static $count = 0;
    $name = 'p' . ++$count;
    foreach (["DROP TABLE IF EXISTS $name", "CREATE TABLE $name ($columns) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"] as $sql) {
        $connection instanceof PDO ? $connection->exec($sql) : $connection->query($sql);
    }
    return $name;
}

/** The first column of the first row, as text. */
function value(PDO|mysqli $connection, string $sql, array $values = []): ?string
{
    if ($connection instanceof mysqli) {
        $result = $values ? $connection->execute_query($sql, $values) : $connection->query($sql);
        $row = $result->fetch_row();
    } else {
        $statement = $connection->prepare($sql);
        $statement->execute($values);
        $row = $statement->fetch(PDO::FETCH_NUM);
    }
    return $row && $row[0] !== null ? (string) $row[0] : null;
}

/** The number of the server's error. */
function code(callable $body): int
{
    try {
        $body();
        return 0;
    } catch (mysqli_sql_exception $error) {
        return $error->getCode();
    } catch (PDOException $error) {
        return (int) ($error->errorInfo[1] ?? $error->getCode());
    }
}

function same(mixed $got, mixed $wanted): void
{
    if ($got !== $wanted) {
        throw new Exception(var_export($got, true) . ' is not ' . var_export($wanted, true));
    }
}

foreach (['queries', 'statements', 'connections'] as $part) {
    require __DIR__ . "/cases/$part.php";
}
$wanted = array_slice($argv, 1);
foreach ($cases as $name => $body) {
    if ($wanted && !array_filter($wanted, fn (string $word): bool => str_contains($name, $word))) {
        continue;
    }
    try {
        $body();
        echo "ok $name\n";
    } catch (Throwable $error) {
        $where = array_filter([['file' => $error->getFile(), 'line' => $error->getLine()], ...$error->getTrace()],
            fn (array $frame): bool => str_contains($frame['file'] ?? '', '/cases/'));
        $first = reset($where);
        $text = str_replace("\n", ' ', $error->getMessage());
        echo "not ok $name: $text at " . basename($first['file'] ?? '') . ':' . ($first['line'] ?? '') . "\n";
    }
    foreach ($opened as $connection) {
        try {
            @$connection->close();
        } catch (Throwable) {
            // closed by the case
        }
    }
    $opened = [];
}
echo "done\n";
