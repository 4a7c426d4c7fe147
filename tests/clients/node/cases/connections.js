// SPDX-License-Identifier: Apache-2.0
// Connections: pools of them, what they begin with, what they set, cancelling, and being refused.
'use strict';

const assert = require('node:assert/strict');
const { Client } = require('pg');
const { add, table, value, state, sleep } = require('../suite.js');

add('a pool of twenty answers two hundred queries', async (target) => {
  const pool = target.pool();
  const results = await Promise.all(Array.from({ length: 200 }, (_, i) => value(pool, 'SELECT $1::int', [i])));
  assert.deepEqual(results, Array.from({ length: 200 }, (_, i) => i));
  assert.equal(pool.totalCount, 20);
});

add('twenty transactions at a time wait for their turn', async (target) => {
  const pool = target.pool();
  const work = async () => {
    const client = await pool.connect();
    await client.query('BEGIN');
    await client.query('SELECT pg_sleep(0.03)');
    await client.query('COMMIT');
    client.release();
  };
  await Promise.all(Array.from({ length: 20 }, work));
});

add('a pool that drops its idle clients and makes new ones', async (target) => {
  const pool = target.pool({ max: 5, idleTimeoutMillis: 20, maxUses: 3 });
  for (let round = 0; round < 4; round += 1) {
    await Promise.all(Array.from({ length: 30 }, (_, i) => value(pool, 'SELECT $1::int', [i])));
    await sleep(40);
  }
  assert.deepEqual(target.errors, []);
});

add('application_name and client_encoding of the connection', async (target) => {
  const one = await target.client({ application_name: 'first', client_encoding: 'UTF8' });
  const two = await target.client({ fallback_application_name: 'second' });
  for (let i = 0; i < 5; i += 1) {
    assert.equal(await value(one, 'SHOW application_name'), 'first');
    assert.equal(await value(two, 'SHOW application_name'), 'second');
    assert.equal(await value(one, 'SHOW client_encoding'), 'UTF8');
  }
  await one.query("SET application_name = 'changed'");
  for (let i = 0; i < 5; i += 1) {
    assert.equal(await value(one, 'SHOW application_name'), 'changed');
    assert.equal(await value(two, 'SHOW application_name'), 'second');
  }
});

add('options set what they name', async (target) => {
  const one = await target.client({ options: '-c work_mem=7MB -c search_path=one,public --geqo=off' });
  const two = await target.client({ options: '-c work_mem=8MB' });
  for (let i = 0; i < 5; i += 1) {
    assert.equal(await value(one, 'SHOW work_mem'), '7MB');
    assert.equal(await value(one, 'SHOW search_path'), 'one,public');
    assert.equal(await value(one, 'SHOW geqo'), 'off');
    assert.equal(await value(two, 'SHOW work_mem'), '8MB');
    assert.equal(await value(two, 'SHOW geqo'), 'on');
  }
});

add('options that the server refuses', async (target) => {
  assert.equal(await state(target.client({ options: '-c work_mem=lots' })), '22023');
  assert.equal(await state(target.client({ options: '-c nothing_such=1' })), '42704');
  assert.equal(await state(target.client({ options: '-c fsync=off' })), '55P02');
});

add('a wrong password and an unknown database are refused', async (target) => {
  assert.equal(await state(target.client({ password: 'wrong' })), '28P01');
  assert.equal(await state(target.client({ user: 'nobody' })), '28P01');
  assert.equal(await state(target.client({ database: 'nowhere' })), '3D000');
});

add('settings of one connection are no other\'s', async (target) => {
  const one = await target.client();
  const others = [await target.client(), await target.client(), await target.client()];
  await one.query("SET TIME ZONE 'Asia/Tokyo'; SET DateStyle = 'German'; SET bytea_output = 'escape'");
  for (let i = 0; i < 4; i += 1) {
    assert.equal(await value(one, "SELECT '2024-01-01 00:00+00'::timestamptz::text"), '01.01.2024 09:00:00 JST');
    for (const other of others) {
      assert.equal(await value(other, 'SHOW TimeZone'), 'UTC');
      assert.equal(await value(other, 'SHOW DateStyle'), 'ISO, MDY');
    }
  }
});

// Another connection's CancelRequest for this client, as pg itself sends it.
function cancel(client) {
  return new Promise((resolve) => {
    const canceller = new Client();
    canceller.on('error', () => {});
    canceller.connection.once('end', resolve);
    canceller.connection.once('close', resolve);
    canceller.connection.on('connect', () => canceller.connection.cancel(client.processID, client.secretKey));
    canceller.connection.connect(client.port, client.host);
    setTimeout(resolve, 1000);
  });
}

add('a statement is cancelled by its key', async (target) => {
  const client = await target.client();
  const neighbour = await target.client();
  for (let i = 0; i < 3; i += 1) {
    const sleeping = state(client.query('SELECT pg_sleep(20)'));
    const other = value(neighbour, 'SELECT pg_sleep(0.3)');
    await sleep(150);
    await cancel(client);
    assert.equal(await sleeping, '57014');
    assert.equal(await other, '');
    assert.equal(await value(client, 'SELECT 1'), 1);
  }
});

add('a cancel without a statement does nothing', async (target) => {
  const client = await target.client();
  for (let i = 0; i < 5; i += 1) {
    await cancel(client);
    assert.equal(await value(client, 'SELECT 1'), 1);
  }
});

add('SET ROLE and RESET ALL', async (target) => {
  const one = await target.client();
  const two = await target.client();
  await one.query('SET ROLE reader');
  for (let i = 0; i < 3; i += 1) {
    assert.equal(await value(one, 'SELECT current_user::text'), 'reader');
    assert.equal(await value(two, 'SELECT current_user::text'), process.env.PGUSER);
  }
  await one.query('RESET ROLE');
  assert.equal(await value(one, 'SELECT current_user::text'), process.env.PGUSER);
});

add('end() after the last answer, forty times', async (target) => {
  const client = await target.client();
  const name = await table(client, 'id int');
  for (let i = 0; i < 40; i += 1) {
    const leaver = new Client();
    await leaver.connect();
    await leaver.query(`INSERT INTO ${name} VALUES ($1)`, [i]);
    await leaver.end();
  }
  assert.equal(await value(client, `SELECT count(*) FROM ${name}`), '40');
});

add('LISTEN hears what others NOTIFY', async (target) => {
  const listener = await target.client();
  const other = await target.client();
  const heard = [];
  listener.on('notification', ({ channel, payload }) => heard.push(`${channel} ${payload}`));
  await listener.query('LISTEN news');
  for (let i = 0; i < 3; i += 1) await other.query("SELECT pg_notify('news', $1)", [String(i)]);
  await other.query("BEGIN; NOTIFY news, 'never'; ROLLBACK");
  for (let i = 0; i < 100 && heard.length < 3; i += 1) await sleep(20);
  assert.deepEqual(heard, ['news 0', 'news 1', 'news 2']);
  await listener.query('UNLISTEN news');
  assert.equal(await value(listener, 'SELECT 1'), 1);
});
