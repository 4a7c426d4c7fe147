// SPDX-License-Identifier: Apache-2.0
// node-postgres' pool through a restart: as Hikari.java. Arguments: URL, connections.
'use strict'

const { Pool } = require('pg')

const count = Number(process.argv[3])
const pool = new Pool({ connectionString: process.argv[2], max: count, idleTimeoutMillis: 0, connectionTimeoutMillis: 30000 })
pool.on('error', (error) => console.log(`an idle one was told ${error.code}`))

async function all() {
  const held = await Promise.all(Array.from({ length: count }, () => pool.connect()))
  held.forEach((client) => client.release())
  return new Set(held)
}

const add = 'INSERT INTO served (who) VALUES ($1)'

async function main() {
  const before = await all()
  const inside = await pool.connect()
  await inside.query('BEGIN')
  await inside.query(add, [1])
  console.log('ready')
  await new Promise((resolve) => process.stdin.once('data', resolve))
  await inside.query(add, [2]).then(() => console.log('not told'), (error) => console.log(`told ${error.code}`))
  await inside.query('ROLLBACK')
  await inside.query(add, [3])
  inside.release()
  for (let i = 0; i < 8; ++i) await pool.query(add, [4 + i])
  const kept = [...await all()].filter((client) => before.has(client)).length
  console.log(`kept ${kept}`)
  await pool.end()
  process.stdin.pause()
}

main().catch((error) => {
  console.log(error)
  process.exit(1)
})
