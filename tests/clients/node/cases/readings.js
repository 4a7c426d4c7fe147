// SPDX-License-Identifier: Apache-2.0
// The same text in sessions that read it differently: what a statement means is settled when it is parsed, by the
// settings and the tables of that moment.
'use strict';

const assert = require('node:assert/strict');
const { createHash } = require('node:crypto');
const { add, table } = require('../suite.js');

// The only column of the only row. The name is the text's, so that it is prepared once in a session.
async function query(client, text, name = createHash('md5').update(text).digest('hex')) {
  return Object.values((await client.query({ name, text })).rows[0])[0];
}

// The text, prepared on every backend there is by sessions without settings of their own, after another one was run.
async function everywhere(target, text, first = 'SELECT 1') {
  const clients = [await target.client(), await target.client(), await target.client()];
  for (const client of clients) {
    await client.query(`BEGIN; ${first}`);
    await query(client, text);
  }
  for (const client of clients) await client.query('COMMIT');
  return clients;
}

// Twice, so that the second text may find the first one's statement.
add('literals of date and time under several settings', async (target) => {
  const german = await target.client();
  const tokyo = await target.client({ options: '-c TimeZone=Asia/Tokyo' });
  const plain = await target.client();
  await german.query("SET DateStyle = 'SQL, DMY'");
  for (let i = 0; i < 5; i += 1) {
    const day = "SELECT extract(month FROM '01/02/2026'::date)::int";
    assert.equal(await query(plain, day), 1);
    assert.equal(await query(german, day), 2);
    const hour = "SELECT extract(epoch FROM '1970-01-02 00:00'::timestamptz)::int";
    assert.equal(await query(plain, hour), 86400);
    assert.equal(await query(tokyo, hour), 86400 - 9 * 3600);
  }
});

add('literals with a backslash under standard_conforming_strings', async (target) => {
  const old = await target.client();
  const plain = await target.client();
  await old.query('SET standard_conforming_strings = off; SET escape_string_warning = off');
  for (let i = 0; i < 5; i += 1) {
    assert.equal(await query(plain, "SELECT length('a\\\\b')"), 4);
    assert.equal(await query(old, "SELECT length('a\\\\b')"), 3);
  }
});

add('a setting of the session decides what a text means', async (target) => {
  const text = 'SELECT (1 = NULL) IS NULL AS unknown';
  await everywhere(target, text);
  const client = await target.client();
  assert.equal(await query(client, text), true);
  await client.query('SET transform_null_equals = on');
  assert.equal(await query(client, text, 'anew'), false);
});

add('a setting of the transaction decides what a text means', async (target) => {
  const text = 'SELECT (2 = NULL) IS NULL AS unknown';
  await everywhere(target, text);
  const client = await target.client();
  await client.query('BEGIN; SET LOCAL transform_null_equals = on');
  assert.equal(await query(client, text), false);
  await client.query('COMMIT');
});

add("a setting of one session's transaction decides nothing for another", async (target) => {
  const text = 'SELECT (3 = NULL) IS NULL AS unknown';
  const clients = [await target.client(), await target.client(), await target.client()];
  for (const client of clients) { // at the same time: on every backend
    await client.query('BEGIN; SET LOCAL transform_null_equals = on');
    assert.equal(await query(client, text), false);
  }
  for (const client of clients) await client.query('COMMIT');
  assert.equal(await query(await target.client(), text), true);
});

add('a temporary table hides another for texts prepared after it', async (target) => {
  const client = await target.client();
  const name = await table(client, 'id int');
  const text = `SELECT count(*)::int FROM ${name}`;
  // A backend's first temporary table changes more than its later ones; these sessions keep theirs to their ends.
  const makers = await everywhere(target, text, `CREATE TEMP TABLE before_${name} (id int) ON COMMIT DROP`);
  for (const maker of makers) await maker.end();
  await everywhere(target, text);
  await client.query(`CREATE TEMP TABLE ${name} (id int); INSERT INTO ${name} VALUES (1)`);
  assert.equal(await query(client, text), 1);
});

add('a table that comes first in the search_path hides another', async (target) => {
  const client = await target.client();
  const name = await table(client, 'id int');
  await client.query('DROP SCHEMA IF EXISTS ahead CASCADE; CREATE SCHEMA ahead');
  await client.query('SET search_path = ahead, public');
  const text = `SELECT count(*)::int FROM ${name}`;
  const before = await target.client({ options: '-c search_path=ahead,public' });
  assert.equal(await query(before, text), 0);
  assert.equal(await query(client, text), 0);
  await client.query(`CREATE TABLE ahead.${name} (id int); INSERT INTO ahead.${name} VALUES (1)`);
  for (let i = 0; i < 4; i += 1) assert.equal(await query(client, text, `anew ${i}`), 1);
});

add('one text for two schemas', async (target) => {
  const one = await target.client({ options: '-c search_path=public' });
  const two = await target.client({ options: '-c search_path=elsewhere' });
  const name = await table(one, 'id int');
  await two.query(`CREATE TABLE elsewhere.${name} (id int); INSERT INTO elsewhere.${name} VALUES (1)`);
  for (let i = 0; i < 6; i += 1) {
    assert.equal(await query(one, `SELECT count(*)::int FROM ${name}`), 0);
    assert.equal(await query(two, `SELECT count(*)::int FROM ${name}`), 1);
    assert.equal(await query(one, `SELECT count(*)::int FROM pg_class WHERE oid = '${name}'::regclass AND relnamespace = 'public'::regnamespace`), 1);
    assert.equal(await query(two, `SELECT count(*)::int FROM pg_class WHERE oid = '${name}'::regclass AND relnamespace = 'public'::regnamespace`), 0);
  }
});

add('row security of two roles in one text', async (target) => {
  const owner = await target.client();
  const name = await table(owner, 'id int, who text');
  await owner.query(`INSERT INTO ${name} VALUES (1, 'reader'), (2, 'app'); GRANT USAGE ON SCHEMA public TO reader; GRANT SELECT ON ${name} TO reader;
    ALTER TABLE ${name} ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON ${name} USING (who = current_user)`);
  const reader = await target.client();
  await reader.query('SET ROLE reader');
  for (let i = 0; i < 6; i += 1) {
    assert.equal(await query(owner, `SELECT count(*)::int FROM ${name}`), 2);
    assert.equal(await query(reader, `SELECT count(*)::int FROM ${name}`), 1);
  }
});
