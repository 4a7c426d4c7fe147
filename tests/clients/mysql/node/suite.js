// SPDX-License-Identifier: Apache-2.0
// Runs the cases of mysql2 or of mariadb (the first word), those whose name contains one of the further words, and prints
// the outcome of each: `ok NAME` or `not ok NAME: WHY`, and `done` at the end.
'use strict';

const NAME = process.argv[2];
const MYSQL2 = NAME === 'mysql2';
const library = require(MYSQL2 ? 'mysql2/promise' : 'mariadb');
const PLACE = {
  host: process.env.CLIENT_HOST, port: Number(process.env.CLIENT_PORT), user: process.env.CLIENT_USER,
  password: process.env.CLIENT_PASSWORD, database: process.env.CLIENT_DATABASE,
  ...(MYSQL2 ? {} : { allowPublicKeyRetrieval: true, insertIdAsNumber: true, bigIntAsNumber: true }),
};
const MARIADB_SERVER = process.env.CLIENT_SERVER === 'mariadb';
const PATIENCE_MS = 30_000;
const cases = [];

// What a case connects with; whatever it opened is closed at its end.
class Target {
  constructor() {
    this.opened = [];
  }

  async open(config = {}) {
    const connection = await library.createConnection({ ...PLACE, ...config });
    connection.on('error', () => {});
    this.opened.push(connection);
    return connection;
  }

  pool(config = {}) {
    const pool = library.createPool({ ...PLACE, connectionLimit: 10, ...config });
    this.opened.push(pool);
    return pool;
  }

  async close() {
    await Promise.allSettled(this.opened.map((one) => one.end()));
  }
}

// The rows of what a query gave: mysql2 gives [rows, columns].
async function run(connection, sql, values) {
  const result = await connection.query(sql, values);
  return MYSQL2 ? result[0] : result;
}

async function execute(connection, sql, values) {
  const result = await connection.execute(sql, values);
  return MYSQL2 ? result[0] : result;
}

const first = (rows) => (rows.length ? Object.values(rows[0])[0] : undefined);
const value = async (connection, sql, values) => first(await run(connection, sql, values));
const executed = async (connection, sql, values) => first(await execute(connection, sql, values));

let tables = 0;
async function table(connection, columns = 'id int PRIMARY KEY AUTO_INCREMENT, v varchar(200)') {
  tables += 1;
  await run(connection, `DROP TABLE IF EXISTS n${tables}`);
  await run(connection, `CREATE TABLE n${tables} (${columns}) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4`);
  return `n${tables}`;
}

// A table of 4096 numbers with something wide beside each.
async function numbers(connection) {
  const name = await table(connection, 'n int PRIMARY KEY, pad varchar(300)');
  await run(connection, `INSERT INTO ${name} VALUES (0, repeat('x', 250))`);
  for (let size = 1; size < 4096; size *= 2) {
    await run(connection, `INSERT INTO ${name} SELECT n + ${size}, pad FROM ${name}`);
  }
  return name;
}

// The number of the error that it is rejected with.
async function code(promise) {
  try {
    await promise;
    return 'none';
  } catch (error) {
    return error.errno || error.message;
  }
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const add = (name, body) => cases.push({ name, body });

async function end({ body }) {
  const target = new Target();
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no end after ${PATIENCE_MS / 1000} s`)), PATIENCE_MS);
  });
  try {
    await Promise.race([body(target), late]);
    return '';
  } catch (error) {
    const place = (error.stack || '').split('\n').find((line) => /cases\.js/.test(line)) || '';
    return `${error.message} ${place.replace(/^.*cases\.js/, 'at cases.js')}`;
  } finally {
    clearTimeout(timer);
    await Promise.race([target.close(), sleep(2000)]);
  }
}

async function main(wanted) {
  require('./cases.js');
  for (const one of cases) {
    if (wanted.length && !wanted.some((part) => one.name.includes(part))) continue;
    const why = (await end(one)).replaceAll('\n', ' ');
    console.log(why ? `not ok ${one.name}: ${why}` : `ok ${one.name}`);
  }
  console.log('done');
  process.exit(0); // connections of cases that did not end
}

module.exports = {
  MYSQL2, MARIADB_SERVER, PLACE, add, run, execute, value, executed, table, numbers, code, sleep,
};
if (require.main === module) main(process.argv.slice(3));
