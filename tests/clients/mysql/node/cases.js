// SPDX-License-Identifier: Apache-2.0
// The cases of mysql2 and mariadb: queries, prepared statements, streams, users, pools.
'use strict';

const assert = require('node:assert/strict');
const {
  MARIADB_SERVER, MYSQL2, PLACE, add, run, execute, value, executed, table, numbers, code, sleep,
} = require('./suite.js');

// --- queries and transactions

add('queries answer with rows, counts and generated ids', async (target) => {
  const one = await target.open();
  const name = await table(one);
  assert.equal((await run(one, `INSERT INTO ${name} (v) VALUES (?), (?)`, ['a', 'b'])).affectedRows, 2);
  assert.equal((await run(one, `INSERT INTO ${name} (v) VALUES ('c')`)).insertId, 3);
  assert.deepEqual((await run(one, `SELECT id, v FROM ${name} ORDER BY id`)).map((row) => ({ ...row })),
    [{ id: 1, v: 'a' }, { id: 2, v: 'b' }, { id: 3, v: 'c' }]);
});

add('transactions commit and roll back', async (target) => {
  const one = await target.open();
  const name = await table(one);
  await one.beginTransaction();
  await run(one, `INSERT INTO ${name} (v) VALUES ('kept')`);
  await one.commit();
  await one.beginTransaction();
  await run(one, `INSERT INTO ${name} (v) VALUES ('undone')`);
  await one.rollback();
  assert.equal(await value(one, `SELECT group_concat(v) FROM ${name}`), 'kept');
});

add('errors have their numbers and the connection goes on', async (target) => {
  const one = await target.open();
  const name = await table(one);
  assert.equal(await code(run(one, 'SELEC 1')), 1064);
  assert.equal(await code(run(one, 'SELECT * FROM nowhere')), 1146);
  await run(one, `INSERT INTO ${name} VALUES (1, 'a')`);
  assert.equal(await code(run(one, `INSERT INTO ${name} VALUES (1, 'a')`)), 1062);
  assert.equal(await code(execute(one, `INSERT INTO ${name} VALUES (?, ?)`, [1, 'a'])), 1062);
  assert.equal(Number(await value(one, 'SELECT 1')), 1);
});

add('queries sent ahead are answered in order', async (target) => {
  const one = await target.open();
  const got = await Promise.all(Array.from({ length: 100 }, (_, i) => value(one, 'SELECT ?', [`n${i}`])));
  assert.deepEqual(got, Array.from({ length: 100 }, (_, i) => `n${i}`));
});

add('several statements in one, if asked for', async (target) => {
  const one = await target.open({ multipleStatements: true });
  const [a, b] = await run(one, 'SELECT 1 AS x; SELECT 2 AS y');
  assert.deepEqual([Number(a[0].x), Number(b[0].y)], [1, 2]);
  const two = await target.open();
  assert.equal(await code(run(two, 'SELECT 1; SELECT 2')), 1064);
});

add('a procedure with results', async (target) => {
  const one = await target.open();
  await run(one, 'DROP PROCEDURE IF EXISTS np');
  await run(one, 'CREATE PROCEDURE np (IN a int) BEGIN SELECT a AS x; SELECT a + 1 AS y; END');
  for (let i = 0; i < 3; i += 1) {
    const sets = await run(one, 'CALL np(?)', [i]);
    assert.deepEqual([Number(sets[0][0].x), Number(sets[1][0].y)], [i, i + 1]);
  }
});

add('a procedure called by a prepared statement', async (target) => {
  const one = await target.open();
  await run(one, 'DROP PROCEDURE IF EXISTS np2');
  await run(one, 'CREATE PROCEDURE np2 (IN a int) BEGIN SELECT a AS x; SELECT a + 1 AS y; END');
  for (let i = 0; i < 3; i += 1) {
    const sets = await execute(one, 'CALL np2(?)', [i]);
    assert.deepEqual([Number(sets[0][0].x), Number(sets[1][0].y)], [i, i + 1]);
  }
});

// --- prepared statements

add('a prepared statement is executed many times', async (target) => {
  const one = await target.open();
  for (let i = 0; i < 50; i += 1) {
    assert.equal(Number(await executed(one, 'SELECT ? + 1', [i])), i + 1);
  }
});

add('values of every kind go in and out of a prepared statement', async (target) => {
  const one = await target.open({ timezone: '+00:00', dateStrings: true, supportBigNumbers: true, bigNumberStrings: true });
  const name = await table(one, 'd decimal(20,5), f double, dt datetime(3), t time, b varbinary(20), u bigint, n int, s text');
  const row = ['12345.67890', 1.5, '2026-01-02 03:04:05.678', '-20:03:00', Buffer.from([0, 255, 39]), 2 ** 40, null, '日本 🎉'];
  await execute(one, `INSERT INTO ${name} VALUES (?, ?, ?, ?, ?, ?, ?, ?)`, row);
  for (let i = 0; i < 3; i += 1) {
    const [got] = await execute(one, `SELECT * FROM ${name} WHERE f = ?`, [1.5]);
    assert.deepEqual([String(got.d), got.f, String(got.dt), got.b, Number(got.u), got.n, got.s],
      ['12345.67890', 1.5, row[2], row[4], row[5], null, row[7]]);
  }
});

add('more prepared statements than a backend keeps', async (target) => {
  const one = await target.open();
  for (let round = 0; round < 2; round += 1) {
    for (let i = 0; i < 150; i += 1) {
      assert.equal(Number(await executed(one, `SELECT ? + ${i}`, [round])), i + round);
    }
  }
});

add('prepared statements within transactions', async (target) => {
  const one = await target.open();
  const name = await table(one);
  for (let i = 0; i < 10; i += 1) {
    await one.beginTransaction();
    await execute(one, `INSERT INTO ${name} (v) VALUES (?)`, [`v${i}`]);
    await (i % 2 ? one.commit() : one.rollback());
  }
  assert.equal(Number(await executed(one, `SELECT count(*) FROM ${name} WHERE id > ?`, [0])), 5);
});

add('the same statement prepared by twenty connections', async (target) => {
  const pool = target.pool({ connectionLimit: 20 });
  const got = await Promise.all(Array.from({ length: 200 }, (_, i) => executed(pool, 'SELECT ? * 2', [i])));
  assert.deepEqual(got.map(Number), Array.from({ length: 200 }, (_, i) => i * 2));
});

add('a statement is prepared, executed and closed by hand', async (target) => {
  const one = await target.open();
  const statement = await one.prepare('SELECT ? + ? AS sum');
  for (let i = 0; i < 5; i += 1) {
    const result = await statement.execute([i, 10]);
    assert.equal(Number((MYSQL2 ? result[0] : result)[0].sum), i + 10);
  }
  await statement.close();
  assert.equal(Number(await value(one, 'SELECT 1')), 1);
});

add('a prepared statement sees a table that changed', async (target) => {
  const one = await target.open();
  const two = await target.open();
  const name = await table(one);
  await run(one, `INSERT INTO ${name} VALUES (1, 'a')`);
  assert.equal(Object.keys((await execute(one, `SELECT * FROM ${name} WHERE id = ?`, [1]))[0]).length, 2);
  await run(two, `ALTER TABLE ${name} ADD COLUMN w int DEFAULT 7`);
  for (let i = 0; i < 4; i += 1) {
    const [row] = await execute(one, `SELECT * FROM ${name} WHERE id = ?`, [1]);
    assert.deepEqual({ ...row }, { id: 1, v: 'a', w: 7 });
  }
});

add('wrong numbers of values are refused', async (target) => {
  const one = await target.open();
  assert.notEqual(await code(execute(one, 'SELECT ? + ?', [1])), 'none');
  assert.equal(await code(execute(one, 'SELECT * FROM nowhere WHERE a = ?', [1])), 1146);
  assert.equal(Number(await executed(one, 'SELECT ?', [3])), 3);
});

add('long data in a prepared statement', async (target) => {
  const one = await target.open();
  const name = await table(one, 'id int PRIMARY KEY, v longblob');
  const blob = Buffer.alloc(17 << 20, 'leasehold');
  await execute(one, `INSERT INTO ${name} VALUES (?, ?)`, [1, blob]);
  const [row] = await execute(one, `SELECT v FROM ${name} WHERE id = ?`, [1]);
  assert.ok(blob.equals(row.v));
});

if (!MYSQL2) {
  add('a batch of rows in one go', async (target) => {
    const one = await target.open();
    const name = await table(one);
    for (const options of [{}, { bulk: false }]) {
      await one.batch({ sql: `INSERT INTO ${name} (v) VALUES (?)`, ...options },
        Array.from({ length: 500 }, (_, i) => [`row ${i}`]));
    }
    assert.equal(Number(await value(one, `SELECT count(*) FROM ${name}`)), 1000);
    await one.beginTransaction();
    await one.batch(`INSERT INTO ${name} (v) VALUES (?)`, [['x'], ['y']]);
    await one.rollback();
    assert.equal(Number(await value(one, `SELECT count(*) FROM ${name}`)), 1000);
  });

  add('a batch that fails in its middle', async (target) => {
    const one = await target.open();
    const name = await table(one);
    assert.equal(await code(one.batch(`INSERT INTO ${name} (id, v) VALUES (?, ?)`, [[1, 'a'], [1, 'b'], [2, 'c']])), 1062);
    assert.equal(Number(await value(one, 'SELECT 1')), 1);
  });

  add('a local file is loaded', async (target) => {
    const one = await target.open({ permitLocalInfile: true });
    const name = await table(one, 'a text');
    await run(one, `LOAD DATA LOCAL INFILE '${__filename}' INTO TABLE ${name}`);
    assert.ok(Number(await value(one, `SELECT count(*) FROM ${name}`)) > 100);
  });
}

// --- streams

add('rows are streamed while others work', async (target) => {
  const one = await target.open();
  const two = await target.open();
  const name = await numbers(one);
  const sql = `SELECT n, pad FROM ${name} ORDER BY n`;
  const stream = MYSQL2 ? one.connection.query(sql).stream({ highWaterMark: 10 }) : one.queryStream(sql);
  let next = 0;
  for await (const row of stream) {
    assert.equal(row.n, next);
    next += 1;
    if (next % 1000 === 0) assert.equal(Number(await value(two, 'SELECT ?', [next])), next);
  }
  assert.equal(next, 4096);
  assert.equal(Number(await value(one, 'SELECT 1')), 1);
});

add('a stream of a prepared statement', async (target) => {
  if (!MYSQL2) return; // it streams texts only
  const one = await target.open();
  const name = await numbers(one);
  let next = 0;
  for await (const row of one.connection.execute(`SELECT n FROM ${name} WHERE n >= ? ORDER BY n`, [100]).stream()) {
    assert.equal(row.n, next + 100);
    next += 1;
  }
  assert.equal(next, 3996);
});

add('a stream inside a transaction', async (target) => {
  const one = await target.open();
  const name = await numbers(one);
  await one.beginTransaction();
  await run(one, `DELETE FROM ${name} WHERE n < 96`);
  const sql = `SELECT n FROM ${name}`;
  let count = 0;
  for await (const row of MYSQL2 ? one.connection.query(sql).stream() : one.queryStream(sql)) count += row ? 1 : 0;
  assert.equal(count, 4000);
  await one.rollback();
  assert.equal(Number(await value(one, `SELECT count(*) FROM ${name}`)), 4096);
});

add('a stream that the client gives up', async (target) => {
  const one = await target.open();
  const two = await target.open();
  const name = await numbers(two);
  const sql = `SELECT n, pad FROM ${name}`;
  const stream = MYSQL2 ? one.connection.query(sql).stream() : one.queryStream(sql);
  for await (const row of stream) {
    if (row) break;
  }
  one.destroy();
  assert.equal(Number(await value(two, 'SELECT 1')), 1);
});

// --- users and state

if (MYSQL2 || MARIADB_SERVER) { // mariadb does not offer it where the server is MySQL
  add('changeUser goes to another database and forgets', async (target) => {
    const one = await target.open();
    await run(one, 'SET @x = 1');
    await run(one, 'CREATE TEMPORARY TABLE mine (a int)');
    await one.changeUser({ user: PLACE.user, password: PLACE.password, database: 'annex' });
    for (let i = 0; i < 3; i += 1) {
      const [row] = await run(one, 'SELECT @x AS x, database() AS d');
      assert.deepEqual({ ...row }, { x: null, d: 'annex' });
    }
    assert.equal(await code(run(one, 'SELECT * FROM mine')), 1146);
  });

  add('changeUser with a transaction under way rolls it back', async (target) => {
    const one = await target.open();
    const two = await target.open();
    const name = await table(two);
    await one.beginTransaction();
    await run(one, `INSERT INTO ${name} VALUES (1, 'x')`);
    await one.changeUser({ user: PLACE.user, password: PLACE.password, database: PLACE.database });
    await run(two, `INSERT INTO ${name} VALUES (1, 'y')`);
    assert.equal(await value(two, `SELECT v FROM ${name}`), 'y');
  });

  add('changeUser with a wrong password is refused', async (target) => {
    const one = await target.open();
    assert.equal(await code(one.changeUser({ user: PLACE.user, password: 'wrong', database: PLACE.database })), 1045);
  });
}

add('a connection is reset', async (target) => {
  const one = await target.open();
  await run(one, 'SET @x = 1, group_concat_max_len = 4321');
  await one.reset();
  const [row] = await run(one, 'SELECT @x AS x, @@group_concat_max_len AS g, database() AS d');
  assert.equal(row.x, null);
  assert.notEqual(Number(row.g), 4321);
  assert.equal(row.d, PLACE.database);
  assert.equal(Number(await executed(one, 'SELECT ?', [5])), 5);
});

add('settings of each connection are its own', async (target) => {
  const all = await Promise.all(Array.from({ length: 4 }, () => target.open()));
  await Promise.all(all.map((one, i) => run(one, `SET time_zone = '+0${i}:00', group_concat_max_len = ${1000 + i}`)));
  for (let round = 0; round < 3; round += 1) {
    const got = await Promise.all(all.map((one) => run(one, 'SELECT @@time_zone AS z, @@group_concat_max_len AS g')));
    got.forEach(([row], i) => assert.deepEqual([row.z, Number(row.g)], [`+0${i}:00`, 1000 + i]));
  }
});

add('character sets and texts', async (target) => {
  for (const charset of MYSQL2 ? ['utf8mb4', 'UTF8MB4_UNICODE_CI'] : ['utf8mb4', 'UTF8']) {
    const one = await target.open({ charset });
    assert.equal(await value(one, 'SELECT ?', ['Grüße €']), 'Grüße €');
    assert.equal(await executed(one, 'SELECT ?', ['Grüße €']), 'Grüße €');
  }
});

add('json arrives as it does from the server', async (target) => {
  const one = await target.open();
  const name = await table(one, 'j json');
  await run(one, `INSERT INTO ${name} VALUES ('{"a": [1, 2]}')`);
  for (let i = 0; i < 3; i += 1) {
    assert.deepEqual((await run(one, `SELECT j FROM ${name}`))[0].j, { a: [1, 2] });
    assert.deepEqual((await execute(one, `SELECT j FROM ${name}`))[0].j, { a: [1, 2] });
  }
});

// --- connections

add('a pool of ten answers two hundred queries', async (target) => {
  const pool = target.pool();
  const got = await Promise.all(Array.from({ length: 200 }, (_, i) => value(pool, 'SELECT ?', [`${i}`])));
  assert.deepEqual(got, Array.from({ length: 200 }, (_, i) => `${i}`));
});

add('transactions of a pool take turns', async (target) => {
  const pool = target.pool();
  const name = await table(pool);
  await run(pool, `INSERT INTO ${name} VALUES (1, '0')`);
  await Promise.all(Array.from({ length: 30 }, async () => {
    const connection = await pool.getConnection();
    await connection.beginTransaction();
    await run(connection, `UPDATE ${name} SET v = v + 1 WHERE id = 1`);
    await connection.commit();
    await connection.release();
  }));
  assert.equal(await value(pool, `SELECT v FROM ${name}`), '30');
});

add('ping and the connection\'s number', async (target) => {
  const one = await target.open();
  await one.ping();
  for (let i = 0; i < 3; i += 1) {
    assert.equal(Number(await value(one, 'SELECT connection_id()')), one.threadId);
  }
});

add('a query is killed by another connection', async (target) => {
  const one = await target.open();
  const two = await target.open();
  const running = value(one, 'SELECT sleep(5)').then((got) => Number(got), (error) => error.errno);
  await sleep(300);
  await run(two, `KILL QUERY ${one.threadId}`);
  assert.ok([1, 1317].includes(await running));
  assert.equal(Number(await value(one, 'SELECT 1')), 1);
});

add('a wrong password and an unknown user are refused', async (target) => {
  assert.equal(await code(target.open({ password: 'wrong' })), 1045);
  assert.equal(await code(target.open({ user: 'nobody' })), 1045);
});

add('compressed connections', async (target) => {
  const one = await target.open({ compress: true });
  assert.equal(await value(one, 'SELECT repeat(?, 100000)', ['x']), 'x'.repeat(100000));
  assert.equal(await executed(one, 'SELECT repeat(?, 100000)', ['y']), 'y'.repeat(100000));
});
