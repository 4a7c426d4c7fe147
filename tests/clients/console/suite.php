<?php
// SPDX-License-Identifier: Apache-2.0
// SHOW POOLS at leasehold's console by mysqli and PDO; prints the names of the pools.
mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
$port = (int) getenv('CLIENT_PORT');
$connection = new mysqli('127.0.0.1', getenv('CLIENT_USER'), getenv('CLIENT_PASSWORD'), 'leasehold', $port);
$connection->set_charset('utf8mb4');
foreach ($connection->query('SHOW POOLS') as $row) {
    echo $row['database'], ' ', (int) $row['size'], "\n";
}
try {
    $connection->prepare('SHOW POOLS');
} catch (mysqli_sql_exception $error) {
    echo $error->getCode(), "\n";
}
$connection->close();
$pdo = new PDO("mysql:host=127.0.0.1;port=$port;dbname=leasehold", getenv('CLIENT_USER'), getenv('CLIENT_PASSWORD'));
foreach ($pdo->query('SHOW POOLS', PDO::FETCH_ASSOC) as $row) {
    echo $row['database'], ' ', (int) $row['size'], "\n";
}
