// SPDX-License-Identifier: Apache-2.0
// Transactions: by one client, by the clients of a pool, with savepoints, errors, time-outs and abrupt ends.
'use strict';

const assert = require('node:assert/strict');
const { add, table, value, state, sleep } = require('../suite.js');

add('commit is seen by another connection and rollback is not', async (target) => {
  const client = await target.client();
  const other = await target.client();
  const name = await table(client, 'id int');
  for (let i = 0; i < 10; i += 1) {
    await client.query('BEGIN');
    await client.query(`INSERT INTO ${name} VALUES ($1)`, [i]);
    assert.equal(Number(await value(other, `SELECT count(*) FROM ${name}`)), Math.floor((i + 1) / 2));
    await client.query(i % 2 ? 'ROLLBACK' : 'COMMIT');
  }
});

add('savepoints and an error in a transaction', async (target) => {
  const client = await target.client();
  const name = await table(client, 'id int PRIMARY KEY');
  await client.query(`BEGIN; INSERT INTO ${name} VALUES (1); SAVEPOINT one`);
  assert.equal(await state(client.query(`INSERT INTO ${name} VALUES ($1)`, [1])), '23505');
  assert.equal(await state(client.query('SELECT 1')), '25P02');
  await client.query('ROLLBACK TO one');
  await client.query(`INSERT INTO ${name} VALUES ($1)`, [2]);
  await client.query('COMMIT');
  assert.equal(await value(client, `SELECT count(*) FROM ${name}`), '2');
});

add('COMMIT of a failed transaction says ROLLBACK', async (target) => {
  const client = await target.client();
  await client.query('BEGIN');
  assert.equal(await state(client.query('SELECT 1/0')), '22012');
  assert.equal((await client.query('COMMIT')).command, 'ROLLBACK');
});

add('isolation levels and read only transactions', async (target) => {
  const client = await target.client();
  for (const [level, shown] of [['SERIALIZABLE', 'serializable'], ['REPEATABLE READ', 'repeatable read']]) {
    await client.query(`BEGIN ISOLATION LEVEL ${level} READ ONLY`);
    assert.equal(await value(client, 'SHOW transaction_isolation'), shown);
    assert.equal(await state(client.query('CREATE TABLE never (id int)')), '25006');
    await client.query('ROLLBACK');
    assert.equal(await value(client, 'SHOW transaction_isolation'), 'read committed');
  }
});

add('twenty clients of a pool move money, and none is lost', async (target) => {
  const pool = target.pool();
  const name = await table(pool, 'id int PRIMARY KEY, n int');
  await pool.query(`INSERT INTO ${name} SELECT i, 100 FROM generate_series(0, 9) i`);
  const move = async (number) => {
    const client = await pool.connect();
    try {
      for (let i = 0; i < 10; i += 1) {
        const [from, to] = [number % 10, (number + 1 + i) % 10].sort();
        await client.query('BEGIN');
        await client.query({ name: 'take', text: `UPDATE ${name} SET n = n - 1 WHERE id = $1`, values: [from] });
        await client.query({ name: 'give', text: `UPDATE ${name} SET n = n + 1 WHERE id = $1`, values: [to] });
        await client.query(i % 3 ? 'COMMIT' : 'ROLLBACK');
      }
    } finally {
      client.release();
    }
  };
  await Promise.all(Array.from({ length: 20 }, (_, number) => move(number)));
  assert.equal(await value(pool, `SELECT sum(n) FROM ${name}`), '1000');
});

add('a client that leaves in a transaction has rolled it back', async (target) => {
  const client = await target.client();
  const name = await table(client, 'id int');
  for (let i = 0; i < 6; i += 1) {
    const leaver = await target.client();
    await leaver.query(`BEGIN; LOCK TABLE ${name}; INSERT INTO ${name} VALUES (1)`);
    if (i % 2) leaver.connection.stream.destroy();
    else await leaver.end();
  }
  await client.query("SET lock_timeout = '10s'");
  assert.equal(await value(client, `SELECT count(*) FROM ${name}`), '0');
});

add('a client that leaves while its statement runs', async (target) => {
  const client = await target.client();
  const name = await table(client, 'id int');
  for (let i = 0; i < 2; i += 1) {
    const leaver = await target.client();
    await leaver.query(`BEGIN; LOCK TABLE ${name}`);
    leaver.query('SELECT pg_sleep(20)').catch(() => {});
    await sleep(50);
    leaver.connection.stream.destroy();
    // A server by itself would notice only at the statement's end.
    await client.query("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(20)'");
  }
  await client.query("SET lock_timeout = '10s'");
  assert.equal(await value(client, `SELECT count(*) FROM ${name}`), '0');
});

add('statement_timeout, lock_timeout and idle settings given with the connection', async (target) => {
  const client = await target.client({ statement_timeout: 200, lock_timeout: 150, idle_in_transaction_session_timeout: 60000 });
  const other = await target.client();
  const name = await table(other, 'id int');
  for (let i = 0; i < 3; i += 1) {
    assert.equal(await value(client, 'SHOW statement_timeout'), '200ms');
    assert.equal(await value(client, 'SHOW idle_in_transaction_session_timeout'), '1min');
    assert.equal(await state(client.query('SELECT pg_sleep(20)')), '57014');
    assert.equal(await value(other, 'SHOW statement_timeout'), '0');
  }
  await other.query(`BEGIN; LOCK TABLE ${name}`);
  assert.equal(await state(client.query(`SELECT * FROM ${name}`)), '55P03');
  await other.query('ROLLBACK');
});

add("query_timeout is the client's own", async (target) => {
  const client = await target.client({ query_timeout: 200 });
  const other = await target.client();
  assert.match(await state(client.query('SELECT pg_sleep(1)')), /timeout/i);
  assert.equal(await value(other, 'SELECT 1'), 1);
  await sleep(1000);
});

add('advisory locks of a transaction', async (target) => {
  const one = await target.client();
  const two = await target.client();
  await one.query('BEGIN; SELECT pg_advisory_xact_lock(77)');
  assert.equal(await value(two, 'SELECT pg_try_advisory_xact_lock(77)'), false);
  await one.query('COMMIT');
  assert.equal(await value(two, 'SELECT pg_try_advisory_xact_lock(77)'), true);
});

add('a temporary table of the session', async (target) => {
  const client = await target.client();
  await client.query('CREATE TEMP TABLE scratch (id int)');
  for (let i = 1; i < 10; i += 1) {
    await client.query('INSERT INTO scratch VALUES ($1)', [i]);
    assert.equal(await value(client, 'SELECT count(*) FROM scratch'), String(i));
  }
});
