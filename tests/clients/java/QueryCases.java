// SPDX-License-Identifier: Apache-2.0
// Statements: prepared and re-used, in batches, with generated keys, several in one text, after changes of the schema.
import java.sql.BatchUpdateException;
import java.sql.Connection;
import java.sql.ParameterMetaData;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;

final class QueryCases {
    static void addTo(Suite suite) {
        suite.everyWay("a prepared statement is used again over many transactions", QueryCases::reuse);
        suite.everyWay("a prepared statement survives the rollback of the transaction it was made in", QueryCases::rolledBack);
        suite.everyWay("a batch inserts all its rows", QueryCases::batch);
        suite.everyWay("a batch with an error tells which row it was", QueryCases::failingBatch);
        suite.everyWay("generated keys come back", QueryCases::generatedKeys);
        suite.everyWay("a batch returns generated keys", QueryCases::batchOfKeys);
        suite.everyWay("several statements in one text give several results", QueryCases::several);
        suite.add("a prepared statement goes on after its table changed", QueryCases::tableChanges);
        suite.add("a text is prepared by a new connection after its table changed", QueryCases::tableChanged);
        suite.everyWay("max rows bound what comes", QueryCases::maxRows);
        suite.add("more statements than the driver caches", QueryCases::manyStatements);
        suite.add("statements are prepared again after DEALLOCATE ALL", target -> discards(target, "DEALLOCATE ALL"));
        suite.add("statements are prepared again after DISCARD ALL", target -> discards(target, "DISCARD ALL"));
        suite.add("the same text on two schemas", QueryCases::twoSchemas);
        suite.add("parameters and columns are described before execution", QueryCases::described);
        suite.add("the same text with parameters of other types", QueryCases::otherTypes);
        suite.add("a statement of 2 MB and one of 30,000 parameters", QueryCases::longTexts);
        suite.add("SQL's own PREPARE and EXECUTE", QueryCases::sqlPrepare);
        suite.add("a batch of 5,000 rows with a result each", QueryCases::longBatch);
        suite.add("a server-side statement is closed and made again", QueryCases::closedAgain);
    }

    private static void reuse(Target target) throws Exception {
        Connection connection = target.open();
        String table = Target.table(connection, "id int, body text");
        try (PreparedStatement insert = connection.prepareStatement("INSERT INTO " + table + " VALUES (?, ?)");
                PreparedStatement select = connection.prepareStatement("SELECT body FROM " + table + " WHERE id = ?")) {
            for (int i = 0; i < 40; i++) {
                connection.setAutoCommit(i % 2 == 0);
                insert.setInt(1, i);
                insert.setString(2, "body " + i);
                Suite.same(1, insert.executeUpdate());
                select.setInt(1, i);
                try (ResultSet rows = select.executeQuery()) {
                    Suite.holds(rows.next(), "a row");
                    Suite.same("body " + i, rows.getString(1));
                }
                if (!connection.getAutoCommit()) {
                    connection.commit();
                }
            }
        }
        connection.setAutoCommit(true);
        Suite.same("40", Target.value(connection, "SELECT count(*) FROM " + table));
    }

    private static void rolledBack(Target target) throws Exception {
        Connection connection = target.inTransaction();
        try (PreparedStatement select = connection.prepareStatement("SELECT ? + 1")) {
            for (int i = 0; i < 10; i++) {
                select.setInt(1, i);
                try (ResultSet rows = select.executeQuery()) {
                    rows.next();
                    Suite.same(i + 1, rows.getInt(1));
                }
                connection.rollback();
            }
        }
    }

    private static void batch(Target target) throws Exception {
        Connection connection = target.inTransaction();
        String table = Target.table(connection, "id int, body text");
        for (int round = 0; round < 3; round++) {
            try (PreparedStatement insert = connection.prepareStatement("INSERT INTO " + table + " VALUES (?, ?)")) {
                for (int i = 0; i < 100; i++) {
                    insert.setInt(1, round * 100 + i);
                    insert.setString(2, i % 7 == 0 ? null : "row " + i);
                    insert.addBatch();
                }
                for (int count : insert.executeBatch()) {
                    Suite.holds(count == 1 || count == Statement.SUCCESS_NO_INFO, "count " + count);
                }
            }
            connection.commit();
        }
        try (Statement statement = connection.createStatement()) {
            statement.addBatch("UPDATE " + table + " SET body = 'x' WHERE id < 10");
            statement.addBatch("DELETE FROM " + table + " WHERE id < 5");
            Suite.same(new int[] {10, 5}, statement.executeBatch());
        }
        connection.commit();
        Suite.same("295", Target.value(connection, "SELECT count(*) FROM " + table));
    }

    private static void failingBatch(Target target) throws Exception {
        Connection connection = target.inTransaction();
        String table = Target.table(connection, "id int PRIMARY KEY");
        connection.commit();
        try (PreparedStatement insert = connection.prepareStatement("INSERT INTO " + table + " VALUES (?)")) {
            for (int i = 0; i < 20; i++) {
                insert.setInt(1, i == 13 ? 3 : i);
                insert.addBatch();
            }
            try {
                insert.executeBatch();
                throw new AssertionError("no error");
            } catch (BatchUpdateException error) {
                Suite.same("23505", error.getSQLState());
            }
            connection.rollback();
            insert.setInt(1, 99);
            Suite.same(1, insert.executeUpdate());
        }
        connection.commit();
        Suite.same("99", Target.value(connection, "SELECT string_agg(id::text, ',') FROM " + table));
    }

    private static void generatedKeys(Target target) throws Exception {
        Connection connection = target.open();
        String table = Target.table(connection, "id serial PRIMARY KEY, body text, made timestamptz DEFAULT now()");
        String sql = "INSERT INTO " + table + " (body) VALUES (?)";
        for (int i = 1; i <= 3; i++) {
            try (PreparedStatement insert = connection.prepareStatement(sql, Statement.RETURN_GENERATED_KEYS)) {
                insert.setString(1, "one");
                insert.executeUpdate();
                ResultSet keys = insert.getGeneratedKeys();
                Suite.holds(keys.next() && keys.getInt("id") == 2 * i - 1 && keys.getTimestamp("made") != null, "all columns");
            }
            try (PreparedStatement insert = connection.prepareStatement(sql, new String[] {"id"})) {
                insert.setString(1, "two");
                insert.executeUpdate();
                ResultSet keys = insert.getGeneratedKeys();
                Suite.holds(keys.next() && keys.getInt(1) == 2 * i, "the column asked for");
            }
        }
    }

    private static void batchOfKeys(Target target) throws Exception {
        Connection connection = target.inTransaction();
        String table = Target.table(connection, "id serial PRIMARY KEY, body text");
        List<Integer> ids = new ArrayList<>();
        try (PreparedStatement insert =
                connection.prepareStatement("INSERT INTO " + table + " (body) VALUES (?)", new String[] {"id"})) {
            for (int i = 0; i < 300; i++) {
                insert.setString(1, "row " + i);
                insert.addBatch();
            }
            insert.executeBatch();
            ResultSet keys = insert.getGeneratedKeys();
            while (keys.next()) {
                ids.add(keys.getInt(1));
            }
        }
        connection.commit();
        Suite.same(300, ids.size());
        Suite.same(300, ids.get(299));
    }

    private static void several(Target target) throws Exception {
        if (target.binary()) {
            return; // the driver gives the results in another order then
        }
        Connection connection = target.open();
        String table = Target.table(connection, "id int");
        try (Statement statement = connection.createStatement()) {
            Suite.holds(!statement.execute("INSERT INTO " + table + " VALUES (1), (2); SELECT id FROM " + table
                    + " ORDER BY id; UPDATE " + table + " SET id = id + 1; SELECT 'a;b'"), "a count comes first");
            Suite.same(2, statement.getUpdateCount());
            Suite.holds(statement.getMoreResults(), "then rows");
            statement.getResultSet().next();
            Suite.same(1, statement.getResultSet().getInt(1));
            Suite.holds(!statement.getMoreResults(), "then a count");
            Suite.same(2, statement.getUpdateCount());
            Suite.holds(statement.getMoreResults(), "then rows");
            statement.getResultSet().next();
            Suite.same("a;b", statement.getResultSet().getString(1));
        }
    }

    private static void tableChanges(Target target) throws Exception {
        Connection connection = target.open();
        String table = Target.table(connection, "id int");
        Target.execute(connection, "INSERT INTO " + table + " VALUES (7)");
        String sql = "SELECT * FROM " + table + " WHERE id = ?";
        for (int i = 0; i < 3; i++) {
            Suite.same("7", Target.value(connection, sql, 7));
        }
        Target.execute(connection, "ALTER TABLE " + table + " ADD COLUMN more text DEFAULT 'new'");
        for (int i = 0; i < 8; i++) {
            try (PreparedStatement select = connection.prepareStatement(sql)) {
                select.setInt(1, 7);
                ResultSet rows = select.executeQuery();
                rows.next();
                Suite.same(2, rows.getMetaData().getColumnCount());
                Suite.same("new", rows.getString("more"));
            }
        }
        Target.execute(connection, "ALTER TABLE " + table + " ALTER COLUMN id TYPE text");
        Suite.same("7", Target.value(connection, "SELECT id FROM " + table + " WHERE id = ?", "7"));
    }

    private static void tableChanged(Target target) throws Exception {
        Connection connection = target.openPlain();
        String table = Target.table(connection, "id int");
        Target.execute(connection, "INSERT INTO " + table + " VALUES (7)");
        String sql = "SELECT * FROM " + table + " WHERE id = ?";
        List<Connection> others = new ArrayList<>();
        for (int i = 0; i < 3; i++) { // at the same time: all backends have it
            others.add(target.openPlain());
            others.get(i).setAutoCommit(false);
            Suite.same("7", Target.value(others.get(i), sql, 7));
        }
        for (Connection other : others) {
            other.commit();
        }
        Target.execute(connection, "ALTER TABLE " + table + " ADD COLUMN more text");
        Suite.same("7", Target.value(target.openPlain(), sql, 7));
    }

    private static void maxRows(Target target) throws Exception {
        Connection connection = target.open();
        for (int i = 0; i < 5; i++) {
            try (PreparedStatement select = connection.prepareStatement("SELECT generate_series(1, ?)")) {
                select.setInt(1, 100);
                select.setMaxRows(10);
                ResultSet rows = select.executeQuery();
                int count = 0;
                while (rows.next()) {
                    count++;
                }
                Suite.same(target.simple() ? 100 : 10, count); // the driver does not bound simple queries
            }
        }
    }

    private static void manyStatements(Target target) throws Exception {
        Connection connection = target.open("preparedStatementCacheQueries", "8");
        for (int round = 0; round < 3; round++) {
            for (int i = 0; i < 60; i++) {
                Suite.same(String.valueOf(i + 5), Target.value(connection, "SELECT ?::int + " + i, 5));
            }
        }
    }

    private static void discards(Target target, String command) throws Exception {
        Connection connection = target.open();
        for (int i = 0; i < 5; i++) {
            Suite.same(String.valueOf(i), Target.value(connection, "SELECT ?::int", i));
            Target.execute(connection, command);
        }
        Suite.same("9", Target.value(connection, "SELECT ?::int", 9));
    }

    private static void twoSchemas(Target target) throws Exception {
        Connection connection = target.open();
        String table = Target.table(connection, "body text");
        Target.execute(connection, "DROP SCHEMA IF EXISTS other CASCADE; CREATE SCHEMA other; CREATE TABLE other." + table + " (body text)");
        Target.execute(connection, "INSERT INTO public." + table + " VALUES ('public')");
        Target.execute(connection, "INSERT INTO other." + table + " VALUES ('other')");
        Connection neighbour = target.open();
        for (int i = 0; i < 5; i++) {
            connection.setSchema("other");
            Suite.same("other", connection.getSchema());
            Suite.same("other", Target.value(connection, "SELECT body FROM " + table));
            Suite.same("public", Target.value(neighbour, "SELECT body FROM " + table));
            connection.setSchema("public");
            Suite.same("public", Target.value(connection, "SELECT body FROM " + table));
        }
    }

    private static void described(Target target) throws Exception {
        Connection connection = target.open();
        String table = Target.table(connection, "id int, body varchar(20), n numeric(8,2)");
        for (int i = 0; i < 4; i++) {
            try (PreparedStatement select =
                    connection.prepareStatement("SELECT id, body, n FROM " + table + " WHERE id = ? AND body = ?")) {
                ParameterMetaData parameters = select.getParameterMetaData();
                Suite.same(2, parameters.getParameterCount());
                Suite.same("int4", parameters.getParameterTypeName(1));
                Suite.same("text", parameters.getParameterTypeName(2));
                Suite.same("numeric", select.getMetaData().getColumnTypeName(3));
                Suite.same(table, select.getMetaData().getTableName(1));
            }
        }
    }

    private static void otherTypes(Target target) throws Exception {
        Connection connection = target.open();
        try (PreparedStatement select = connection.prepareStatement("SELECT pg_typeof(?)::text")) {
            for (int i = 0; i < 6; i++) {
                if (i % 3 == 0) {
                    select.setInt(1, i);
                } else if (i % 3 == 1) {
                    select.setLong(1, i);
                } else {
                    select.setBoolean(1, true);
                }
                ResultSet rows = select.executeQuery();
                rows.next();
                Suite.same(new String[] {"integer", "bigint", "boolean"}[i % 3], rows.getString(1));
            }
        }
    }

    private static void longTexts(Target target) throws Exception {
        Connection connection = target.open();
        String literal = "x".repeat(2_000_000);
        for (int i = 0; i < 3; i++) {
            Suite.same("2000000", Target.value(connection, "SELECT length('" + literal + "')"));
        }
        try (PreparedStatement select = connection.prepareStatement("SELECT 1 WHERE 1 IN (?" + ", ?".repeat(29_999) + ")")) {
            for (int round = 0; round < 2; round++) {
                for (int i = 1; i <= 30_000; i++) {
                    select.setInt(i, 30_000 - i + 1);
                }
                Suite.holds(select.executeQuery().next(), "a row");
            }
        }
    }

    private static void sqlPrepare(Target target) throws Exception {
        Connection connection = target.open();
        Target.execute(connection, "PREPARE twice (int) AS SELECT $1 * 2");
        for (int i = 0; i < 5; i++) {
            Suite.same(String.valueOf(2 * i), Target.value(connection, "EXECUTE twice(" + i + ")"));
        }
        Target.execute(connection, "DEALLOCATE twice");
        Suite.same("26000", Target.state(() -> Target.execute(connection, "EXECUTE twice(1)")));
    }

    private static void longBatch(Target target) throws Exception {
        Connection connection = target.inTransaction();
        String table = Target.table(connection, "id serial PRIMARY KEY, body text");
        String body = "b".repeat(200);
        try (PreparedStatement insert = connection.prepareStatement(
                "INSERT INTO " + table + " (body) VALUES (?)", Statement.RETURN_GENERATED_KEYS)) {
            for (int i = 0; i < 5000; i++) {
                insert.setString(1, body);
                insert.addBatch();
            }
            Suite.same(5000, insert.executeBatch().length);
            ResultSet keys = insert.getGeneratedKeys();
            int last = 0;
            while (keys.next()) {
                Suite.same(body, keys.getString("body"));
                last = keys.getInt("id");
            }
            Suite.same(5000, last);
        }
        connection.commit();
    }

    private static void closedAgain(Target target) throws SQLException {
        Connection connection = target.open();
        for (int i = 0; i < 10; i++) {
            try (PreparedStatement select = connection.prepareStatement("SELECT 1 + ?")) {
                select.unwrap(org.postgresql.PGStatement.class).setPrepareThreshold(i % 2 == 0 ? 1 : 0);
                select.setInt(1, i);
                ResultSet rows = select.executeQuery();
                rows.next();
                Suite.same(i + 1, rows.getInt(1));
                Suite.same(i % 2 == 0, select.unwrap(org.postgresql.PGStatement.class).isUseServerPrepare());
            }
        }
    }
}
