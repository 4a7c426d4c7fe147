// SPDX-License-Identifier: Apache-2.0
// Cursors, result streams and COPY in both directions, read to the end or given up in the middle.
'use strict';

const assert = require('node:assert/strict');
const { Readable } = require('node:stream');
const { pipeline } = require('node:stream/promises');
const copy = require('pg-copy-streams');
const Cursor = require('pg-cursor');
const QueryStream = require('pg-query-stream');
const { add, table, value, state } = require('../suite.js');

add('a cursor is read in parts', async (target) => {
  const client = await target.client();
  for (let round = 0; round < 3; round += 1) {
    const cursor = client.query(new Cursor('SELECT generate_series(1, $1::int) AS n', [1000]));
    let last = 0;
    for (let rows = await cursor.read(70); rows.length; rows = await cursor.read(70)) {
      for (const row of rows) assert.equal(row.n, (last += 1));
    }
    assert.equal(last, 1000);
  }
  assert.equal(await value(client, 'SELECT 1'), 1);
});

add('a cursor is closed in the middle', async (target) => {
  const client = await target.client();
  for (let round = 0; round < 5; round += 1) {
    const cursor = client.query(new Cursor('SELECT generate_series(1, 100000) AS n'));
    assert.equal((await cursor.read(10)).length, 10);
    await cursor.close();
    assert.equal(await value(client, 'SELECT $1::int', [round]), round);
  }
});

add('a cursor meets an error', async (target) => {
  const client = await target.client();
  const cursor = client.query(new Cursor('SELECT 10 / (25 - n) FROM generate_series(1, 100) n'));
  assert.equal((await cursor.read(20)).length, 20);
  assert.equal(await state(cursor.read(20)), '22012');
  assert.equal(await value(client, 'SELECT 1'), 1);
});

add('a cursor in a transaction, other statements after it', async (target) => {
  const client = await target.client();
  await client.query('BEGIN');
  const cursor = client.query(new Cursor('SELECT generate_series(1, 50) AS n'));
  await cursor.read(20);
  await cursor.close();
  assert.equal(await value(client, 'SELECT 2'), 2);
  await client.query('COMMIT');
});

add('a stream of 20,000 rows', async (target) => {
  const client = await target.client();
  const stream = client.query(new QueryStream("SELECT n, repeat('x', 100) AS body FROM generate_series(1, 20000) n", [],
    { batchSize: 500 }));
  let count = 0;
  for await (const row of stream) {
    count += 1;
    assert.equal(row.n, count);
  }
  assert.equal(count, 20000);
});

add('a stream is destroyed in the middle', async (target) => {
  const client = await target.client();
  for (let round = 0; round < 3; round += 1) {
    let count = 0;
    for await (const row of client.query(new QueryStream('SELECT generate_series(1, 100000) AS n'))) {
      assert.ok(row.n > 0);
      count += 1;
      if (count === 30) break; // destroys the stream
    }
    assert.equal(await value(client, 'SELECT 1'), 1);
  }
});

add('streams in five connections at a time, each in its transaction', async (target) => {
  const pool = target.pool({ max: 5 });
  const read = async () => {
    const client = await pool.connect();
    try {
      await client.query('BEGIN');
      let count = 0;
      for await (const row of client.query(new QueryStream('SELECT generate_series(1, 2000) AS n'))) count += row.n ? 1 : 0;
      await client.query('COMMIT');
      return count;
    } finally {
      client.release();
    }
  };
  assert.deepEqual(await Promise.all([1, 2, 3, 4, 5].map(read)), [2000, 2000, 2000, 2000, 2000]);
});

add('COPY takes 100,000 rows in and gives them out', async (target) => {
  const client = await target.client();
  const name = await table(client, 'id int, body text');
  function* rows() {
    for (let i = 0; i < 100; i += 1) {
      yield Array.from({ length: 1000 }, (_, n) => `${i * 1000 + n}\trow ${n}\n`).join('');
    }
  }
  const into = client.query(copy.from(`COPY ${name} FROM STDIN`));
  await pipeline(Readable.from(rows()), into);
  assert.equal(into.rowCount, 100000);
  let bytes = 0;
  for await (const chunk of client.query(copy.to(`COPY ${name} TO STDOUT`))) bytes += chunk.length;
  assert.equal(bytes, [...rows()].join('').length);
  assert.equal(await value(client, `SELECT count(*) FROM ${name}`), '100000');
});

add('COPY in is given up in the middle', async (target) => {
  const client = await target.client();
  const name = await table(client, 'id int');
  for (let round = 0; round < 3; round += 1) {
    const into = client.query(copy.from(`COPY ${name} FROM STDIN`));
    const failing = Readable.from((function* rows() {
      yield '1\n2\n';
      throw new Error('given up');
    })());
    assert.equal(await state(pipeline(failing, into)), 'given up');
    assert.equal(await value(client, `SELECT count(*) FROM ${name}`), '0');
  }
});

add('COPY in of a bad row fails alone', async (target) => {
  const client = await target.client();
  const name = await table(client, 'id int');
  for (let round = 0; round < 3; round += 1) {
    const into = client.query(copy.from(`COPY ${name} FROM STDIN`));
    assert.equal(await state(pipeline(Readable.from(['1\n', 'none\n', '3\n']), into)), '22P02');
    assert.equal(await value(client, `SELECT count(*) FROM ${name}`), '0');
  }
  assert.equal(await state(pipeline(Readable.from(['1\n']), client.query(copy.from('COPY nowhere FROM STDIN')))), '42P01');
  assert.equal(await value(client, 'SELECT 1'), 1);
});

add('COPY out meets an error in the middle', async (target) => {
  const client = await target.client();
  const read = async () => {
    let bytes = 0;
    for await (const chunk of client.query(copy.to(
      'COPY (SELECT 10 / (50000 - n) FROM generate_series(1, 100000) n) TO STDOUT'))) bytes += chunk.length;
    return bytes;
  };
  for (let round = 0; round < 3; round += 1) assert.equal(await state(read()), '22012');
  assert.equal(await value(client, 'SELECT 1'), 1);
});

add('COPY from one table into another, both at a time', async (target) => {
  const reader = await target.client();
  const writer = await target.client();
  const name = await table(writer, 'id int');
  await pipeline(reader.query(copy.to('COPY (SELECT generate_series(1, 50000)) TO STDOUT')),
    writer.query(copy.from(`COPY ${name} FROM STDIN`)));
  assert.equal(await value(reader, `SELECT count(*) FROM ${name}`), '50000');
});

add('COPY in a transaction is rolled back with it', async (target) => {
  const client = await target.client();
  const name = await table(client, 'id int');
  await client.query('BEGIN');
  await pipeline(Readable.from(['1\n2\n']), client.query(copy.from(`COPY ${name} FROM STDIN`)));
  assert.equal(await value(client, `SELECT count(*) FROM ${name}`), '2');
  await client.query('ROLLBACK');
  assert.equal(await value(client, `SELECT count(*) FROM ${name}`), '0');
});
