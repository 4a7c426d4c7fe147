// SPDX-License-Identifier: Apache-2.0
// SHOW POOLS at leasehold's console by node's mysql2 and mariadb; prints the names of the pools.
'use strict';
const place = {
  host: '127.0.0.1', port: Number(process.env.CLIENT_PORT), user: process.env.CLIENT_USER, password: process.env.CLIENT_PASSWORD,
  database: 'leasehold',
};

async function main(driver) {
  if (driver === 'mysql2') {
    const connection = await require('mysql2/promise').createConnection(place);
    const [rows] = await connection.query('SHOW POOLS');
    rows.forEach((row) => console.log(row.database, Number(row.size)));
    await connection.execute('SHOW POOLS').catch((error) => console.log(error.errno));
    await connection.ping();
    await connection.end();
  } else {
    const connection = await require('mariadb').createConnection({...place, allowPublicKeyRetrieval: true});
    const rows = await connection.query('SHOW POOLS');
    rows.forEach((row) => console.log(row.database, Number(row.size)));
    await connection.execute('SHOW POOLS').catch((error) => console.log(error.errno));
    await connection.ping();
    await connection.end();
  }
}

main(process.argv[2]).catch((error) => {
  console.error(error);
  process.exit(1);
});
