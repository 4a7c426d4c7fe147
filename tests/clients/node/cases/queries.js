// SPDX-License-Identifier: Apache-2.0
// Statements: with parameters, prepared by name, several in one text, their types and what comes with their results.
'use strict';

const assert = require('node:assert/strict');
const { add, table, value, state } = require('../suite.js');

add('queries with and without parameters', async (target) => {
  const client = await target.client();
  for (let i = 0; i < 20; i += 1) {
    assert.equal(await value(client, 'SELECT $1::int + 1', [i]), i + 1);
    assert.equal(await value(client, `SELECT ${i}`), i);
  }
});

add('a query prepared by name is used again over transactions', async (target) => {
  const client = await target.client();
  const name = await table(client, 'id int, body text');
  for (let i = 0; i < 30; i += 1) {
    if (i % 3 === 0) await client.query('BEGIN');
    await client.query({ name: 'insert one', text: `INSERT INTO ${name} VALUES ($1, $2)`, values: [i, `body ${i}`] });
    const query = { name: 'select one', text: `SELECT body FROM ${name} WHERE id = $1`, values: [i] };
    assert.deepEqual((await client.query(query)).rows, [{ body: `body ${i}` }]);
    if (i % 3 === 0) await client.query('COMMIT');
  }
  assert.equal(await value(client, `SELECT count(*) FROM ${name}`), '30');
});

add('the same name means another text in each connection', async (target) => {
  const clients = [await target.client(), await target.client(), await target.client(), await target.client()];
  for (let round = 0; round < 5; round += 1) {
    for (let i = 0; i < clients.length; i += 1) {
      assert.equal(await value(clients[i], `SELECT ${i}`), i);
      const { rows } = await clients[i].query({ name: 'mine', text: `SELECT $1::int * ${i} AS n`, values: [round] });
      assert.equal(rows[0].n, round * i);
    }
  }
});

add('a name cannot be given to another text', async (target) => {
  const client = await target.client();
  await client.query({ name: 'once', text: 'SELECT 1' });
  assert.match(await state(client.query({ name: 'once', text: 'SELECT 2' })), /must be unique/);
  assert.equal(await value(client, 'SELECT 3'), 3);
});

add('an error in a prepared query leaves its name usable', async (target) => {
  const client = await target.client();
  const divide = (by) => client.query({ name: 'divide', text: 'SELECT 10 / $1::int AS n', values: [by] });
  for (let i = 0; i < 5; i += 1) {
    assert.equal((await divide(2)).rows[0].n, 5);
    assert.equal(await state(divide(0)), '22012');
    assert.equal(await state(client.query({ name: `bad ${i}`, text: 'SELECT * FROM nowhere' })), '42P01');
  }
});

add('many queries wait in one connection', async (target) => {
  const client = await target.client();
  const results = await Promise.all(Array.from({ length: 500 }, (_, i) => value(client, 'SELECT $1::int', [i])));
  assert.deepEqual(results, Array.from({ length: 500 }, (_, i) => i));
});

add('several statements in one text give several results', async (target) => {
  const client = await target.client();
  const name = await table(client, 'id int');
  const results = await client.query(`INSERT INTO ${name} VALUES (1), (2); SELECT id FROM ${name} ORDER BY id; DELETE FROM ${name}`);
  assert.deepEqual(results.map((one) => [one.command, one.rowCount]), [['INSERT', 2], ['SELECT', 2], ['DELETE', 2]]);
  assert.equal(await state(client.query('SELECT 1; SELECT 1/0; SELECT 2')), '22012');
  assert.equal(await state(client.query('SELECT $1::int; SELECT 2', [1])), '42601');
});

add('an empty query and comments', async (target) => {
  const client = await target.client();
  for (const text of ['', ';', '-- nothing', '/* nothing */']) {
    assert.deepEqual((await client.query(text)).rows, []);
  }
  assert.equal(await value(client, 'SELECT /* here */ 1 -- there'), 1);
});

add('types go there and back', async (target) => {
  const client = await target.client();
  const date = new Date('2024-02-29T12:34:56.789Z');
  const sent = {
    int4: -5, int8: '9007199254740993', float8: 0.1, numeric: '1234567890.0987654321', text: 'ä "\' \\ 😀', bool: false,
    timestamptz: date, bytea: Buffer.from([0, 255, 92, 39]), 'int4[]': [1, null, 3], 'text[]': ['a,b', '"', null, ''],
    json: { a: [1, 'x'] }, jsonb: { b: null }, uuid: '0f8fad5b-d9cb-469f-a165-70867728950e', inet: '10.0.0.0/8',
  };
  for (let round = 0; round < 3; round += 1) {
    for (const [type, given] of Object.entries(sent)) {
      const query = { name: `type ${type}`, text: `SELECT $1::${type} AS v`, values: [given] };
      assert.deepEqual((await client.query(query)).rows[0].v, given, type);
    }
  }
  assert.equal(await value(client, 'SELECT $1::text', [null]), null);
  assert.deepEqual({ ...(await value(client, "SELECT '1 day 2 hours'::interval")) }, { days: 1, hours: 2 });
});

add('binary results', async (target) => {
  const client = await target.client();
  for (let i = 0; i < 5; i += 1) {
    const query = { text: "SELECT $1::int4 AS n, 'text' || $2 AS t", values: [42, '!'], binary: true };
    const { rows, fields } = await client.query(i % 2 ? query : { ...query, name: 'in binary' });
    assert.deepEqual(rows[0], { n: 42, t: 'text!' });
    assert.equal(fields[0].format, 'binary');
  }
});

add('5 MB in a parameter and in a row', async (target) => {
  const client = await target.client();
  const name = await table(client, 'body text');
  const body = 'x'.repeat(5_000_000);
  await client.query(`INSERT INTO ${name} VALUES ($1)`, [body]);
  assert.equal((await client.query(`SELECT body FROM ${name}`)).rows[0].body, body);
  assert.equal(await value(client, `SELECT length('${body}')`), 5_000_000);
});

add('columns of a result are described', async (target) => {
  const client = await target.client();
  const name = await table(client, 'id serial PRIMARY KEY, body varchar(20)');
  const { fields } = await client.query(`SELECT id, body, now() AS at FROM ${name}`);
  assert.deepEqual(fields.map((field) => [field.name, field.dataTypeID]), [['id', 23], ['body', 1043], ['at', 1184]]);
  assert.ok(fields[0].tableID > 0 && fields[0].columnID === 1 && fields[2].tableID === 0);
});

add('RETURNING and generated identifiers', async (target) => {
  const client = await target.client();
  const name = await table(client, 'id serial PRIMARY KEY, body text');
  for (let i = 1; i <= 10; i += 1) {
    const { rows } = await client.query(`INSERT INTO ${name} (body) VALUES ($1) RETURNING id`, [`b${i}`]);
    assert.equal(rows[0].id, i);
  }
});

add('notices are heard', async (target) => {
  const client = await target.client();
  const heard = [];
  client.on('notice', (notice) => heard.push(`${notice.severity} ${notice.message}`));
  for (let i = 0; i < 3; i += 1) await client.query(`DO $$ BEGIN RAISE NOTICE 'number %', ${i}; END $$`);
  await client.query('DROP TABLE IF EXISTS nowhere');
  assert.deepEqual(heard.slice(0, 3), ['NOTICE number 0', 'NOTICE number 1', 'NOTICE number 2']);
  assert.equal(heard.length, 4);
});

add("a server's error comes with all its fields", async (target) => {
  const client = await target.client();
  const name = await table(client, 'id int CONSTRAINT positive CHECK (id > 0)');
  await assert.rejects(client.query(`INSERT INTO ${name} VALUES ($1)`, [-1]), (error) => error.code === '23514'
    && error.constraint === 'positive' && error.table === name && error.schema === 'public' && error.severity === 'ERROR');
  await assert.rejects(client.query('SELECT 1 FORM x'), (error) => error.code === '42601' && error.position === '15');
});

add('SQL\'s PREPARE, EXECUTE and DEALLOCATE', async (target) => {
  const client = await target.client();
  await client.query('PREPARE twice (int) AS SELECT $1 * 2 AS n');
  for (let i = 0; i < 5; i += 1) assert.equal(await value(client, `EXECUTE twice(${i})`), 2 * i);
  await client.query('DEALLOCATE twice');
  assert.equal(await state(client.query('EXECUTE twice(1)')), '26000');
});

add('a pipeline of 3,000 queries, some of them wrong', async (target) => {
  const client = await target.client({ pipeline: true });
  const all = await Promise.all(Array.from({ length: 3000 }, (_, i) => {
    if (i % 100 === 50) return state(client.query('SELECT 1 / $1::int', [0]));
    if (i % 100 === 51) return state(client.query('SELECT * FROM nowhere'));
    if (i % 3) return value(client, 'SELECT $1::int', [i]);
    return client.query({ name: `of ${i % 7}`, text: `SELECT $1::int + ${i % 7} AS n`, values: [i] }).then((r) => r.rows[0].n);
  }));
  all.forEach((got, i) => {
    const special = { 50: '22012', 51: '42P01' }[i % 100];
    assert.equal(got, special ?? (i % 3 ? i : i + (i % 7)));
  });
});

add('a pipeline of transactions, committed, rolled back and failed', async (target) => {
  const client = await target.client({ pipeline: true });
  const name = await table(client, 'id int PRIMARY KEY');
  const sent = [];
  for (let i = 0; i < 60; i += 1) {
    sent.push(client.query('BEGIN'), client.query(`INSERT INTO ${name} VALUES ($1)`, [i]));
    if (i % 3 === 1) sent.push(state(client.query(`INSERT INTO ${name} VALUES ($1)`, [i])));
    sent.push(client.query(i % 3 === 2 ? 'ROLLBACK' : 'COMMIT'));
  }
  const results = await Promise.all(sent);
  assert.equal(results.filter((one) => one === '23505').length, 20);
  assert.equal(await value(client, `SELECT count(*) FROM ${name}`), '20');
});

add('pipelines of ten connections at a time', async (target) => {
  const pool = target.pool({ max: 10, pipeline: true });
  const one = async (number) => {
    const client = await pool.connect();
    const all = await Promise.all(Array.from({ length: 200 }, (_, i) => value(client, `SELECT $1::int * ${number}`, [i])));
    client.release();
    assert.deepEqual(all, Array.from({ length: 200 }, (_, i) => i * number));
  };
  await Promise.all(Array.from({ length: 10 }, (_, number) => one(number)));
});
