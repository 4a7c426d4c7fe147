// SPDX-License-Identifier: Apache-2.0
// Runs the cases and prints the outcome of each: `ok NAME` or `not ok NAME: WHY`, and `done` at the end. Connects where
// libpq's environment variables say, as pg does by itself.
'use strict';

const { Client, Pool } = require('pg');

const PATIENCE_MS = 30_000;
const cases = [];

// What a case connects with; whatever it opened is closed at its end.
class Target {
  constructor() {
    this.opened = [];
    this.errors = []; // of idle clients, where no query could report them
  }

  async client(config = {}) {
    const client = new Client(config);
    client.on('error', (error) => this.errors.push(error));
    this.opened.push(client);
    await client.connect();
    return client;
  }

  pool(config = {}) {
    const pool = new Pool({ max: 20, ...config });
    pool.on('error', (error) => this.errors.push(error));
    this.opened.push(pool);
    return pool;
  }

  async close() {
    await Promise.allSettled(this.opened.map((one) => one.end()));
  }
}

let tables = 0;
// A new table of these columns; its name.
async function table(client, columns) {
  tables += 1;
  await client.query(`CREATE TABLE n${tables} (${columns})`);
  return `n${tables}`;
}

// The first column of the first row.
async function value(client, text, values) {
  const result = await client.query({ text, values, rowMode: 'array' });
  return result.rows.length ? result.rows[0][0] : undefined;
}

// The SQLSTATE, or else the message, that it is rejected with.
async function state(promise) {
  try {
    await promise;
    return 'none';
  } catch (error) {
    return error.code || error.message;
  }
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function add(name, body) {
  cases.push({ name, body });
}

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
    const place = (error.stack || '').split('\n').find((line) => /cases\/\w+\.js/.test(line)) || '';
    return `${error.message} ${place.replace(/^.*cases\//, 'at ')}`;
  } finally {
    clearTimeout(timer);
    await Promise.race([target.close(), sleep(2000)]);
  }
}

async function main(wanted) {
  for (const part of ['queries', 'transactions', 'streams', 'connections', 'readings']) {
    require(`./cases/${part}.js`);
  }
  for (const one of cases) {
    if (wanted.length && !wanted.some((part) => one.name.includes(part))) continue;
    const from = Date.now();
    const why = (await end(one)).replaceAll('\n', ' ');
    console.log(why ? `not ok ${one.name}: ${why}` : `ok ${one.name}`);
    if (Date.now() - from > 1000) console.log(`# ${one.name} took ${Date.now() - from} ms`);
  }
  console.log('done');
  process.exit(0); // connections of cases that did not end
}

module.exports = { add, table, value, state, sleep };
if (require.main === module) main(process.argv.slice(2));
