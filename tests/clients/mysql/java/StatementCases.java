// SPDX-License-Identifier: Apache-2.0
// Statements in each of the driver's ways: values, batches, generated keys, fetch sizes, procedures.
import java.io.ByteArrayInputStream;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.sql.BatchUpdateException;
import java.sql.CallableStatement;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.Statement;
import java.sql.Timestamp;
import java.sql.Types;
import java.util.Arrays;

final class StatementCases {
    static void addTo(Suite suite) {
        suite.everyWay("a statement is executed many times", StatementCases::manyTimes);
        suite.everyWay("values of every kind", StatementCases::values);
        suite.everyWay("generated keys", StatementCases::keys);
        suite.everyWay("a batch of rows", StatementCases::batch);
        suite.everyWay("a batch of texts", StatementCases::textBatch);
        suite.everyWay("a batch with an error in its middle", StatementCases::failingBatch);
        suite.everyWay("a statement goes on after its error", StatementCases::errors);
        suite.everyWay("rows are fetched a few at a time", StatementCases::fetchSize);
        suite.everyWay("a procedure with results and parameters", StatementCases::procedure);
        suite.everyWay("more statements than are cached", StatementCases::manyStatements);
        suite.everyWay("a table that changes under a statement", StatementCases::changedTable);
        suite.everyWay("values in a stream", StatementCases::streamedValue);
        suite.everyWay("json and texts of other alphabets", StatementCases::texts);
        suite.add("several statements and results", StatementCases::severalResults);
        suite.add("several statements are refused unless asked for", StatementCases::severalRefused);
        suite.add("columns and parameters are described", StatementCases::described);
        suite.add("rows are changed through their result", StatementCases::updatable);
        suite.add("a local file from a stream", StatementCases::localFile);
        suite.add("values over 16 MB", StatementCases::large);
        suite.add("a time-out ends a statement", StatementCases::timeout);
        suite.add("a statement is cancelled by another thread", StatementCases::cancelled);
    }

    private static void manyTimes(Target target) throws Exception {
        Connection connection = target.open();
        try (PreparedStatement statement = connection.prepareStatement("SELECT ? + 1")) {
            for (int i = 0; i < 30; i++) {
                statement.setInt(1, i);
                try (ResultSet rows = statement.executeQuery()) {
                    rows.next();
                    Suite.same(i + 1, rows.getInt(1));
                }
            }
        }
    }

    private static void values(Target target) throws Exception {
        Connection connection = target.open();
        String table = Target.table(connection, "d decimal(20,5), f double, dt datetime(6), b varbinary(20), u bigint unsigned,"
                + " n int, s text, i tinyint, da date, bi bit(9), y year");
        Timestamp at = Timestamp.valueOf("2026-01-02 03:04:05.678901");
        try (PreparedStatement statement = connection.prepareStatement(
                "INSERT INTO " + table + " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, b'100000001', 2026)")) {
            statement.setBigDecimal(1, new BigDecimal("12345.67890"));
            statement.setDouble(2, 1.5);
            statement.setTimestamp(3, at);
            statement.setBytes(4, new byte[] {0, -1, 39, 92});
            statement.setString(5, "18446744073709551615");
            statement.setNull(6, Types.INTEGER);
            statement.setString(7, "日本 🎉 it's");
            statement.setByte(8, (byte) -128);
            if (Target.MARIADB || !target.has("useServerPrepStmts")) {
                statement.setDate(9, java.sql.Date.valueOf("1999-12-31"));
            } else {
                statement.setString(9, "1999-12-31"); // the driver gives a DATE seven bytes, MySQL 9 takes four (1835)
            }
            Suite.same(1, statement.executeUpdate());
        }
        for (int i = 0; i < 3; i++) {
            try (PreparedStatement statement = connection.prepareStatement("SELECT * FROM " + table + " WHERE f > ?")) {
                statement.setInt(1, 1);
                try (ResultSet rows = statement.executeQuery()) {
                    rows.next();
                    Suite.same(new BigDecimal("12345.67890"), rows.getBigDecimal(1));
                    Suite.same(at, rows.getTimestamp(3));
                    Suite.same(true, Arrays.equals(new byte[] {0, -1, 39, 92}, rows.getBytes(4)));
                    Suite.same("18446744073709551615", rows.getString(5));
                    rows.getInt(6);
                    Suite.same(true, rows.wasNull());
                    Suite.same("日本 🎉 it's", rows.getString(7));
                    Suite.same(-128, rows.getInt(8));
                    Suite.same("1999-12-31", rows.getDate(9).toString());
                }
            }
        }
    }

    private static void keys(Target target) throws Exception {
        Connection connection = target.open();
        String table = Target.table(connection, Target.PLAIN);
        for (int i = 1; i <= 4; i++) {
            try (PreparedStatement statement = connection.prepareStatement("INSERT INTO " + table + " (v) VALUES (?)",
                    Statement.RETURN_GENERATED_KEYS)) {
                statement.setString(1, "v" + i);
                statement.executeUpdate();
                try (ResultSet rows = statement.getGeneratedKeys()) {
                    rows.next();
                    Suite.same(i, rows.getInt(1));
                }
            }
        }
    }

    private static void batch(Target target) throws Exception {
        Connection connection = target.inTransaction();
        String table = Target.table(connection, Target.PLAIN);
        for (int round = 0; round < 3; round++) {
            try (PreparedStatement statement = connection.prepareStatement("INSERT INTO " + table + " (v) VALUES (?)")) {
                for (int i = 0; i < 200; i++) {
                    statement.setString(1, i % 7 == 0 ? null : "row " + i);
                    statement.addBatch();
                }
                Suite.same(200, statement.executeBatch().length);
            }
            if (round == 1) {
                connection.rollback();
            } else {
                connection.commit();
            }
        }
        Suite.same("400", Target.value(connection, "SELECT count(*) FROM " + table));
        try (PreparedStatement statement = connection.prepareStatement("UPDATE " + table + " SET v = ? WHERE id = ?")) {
            for (int i = 1; i <= 20; i++) {
                statement.setString(1, "changed");
                statement.setInt(2, i);
                statement.addBatch();
            }
            Suite.same(20, statement.executeBatch().length);
        }
        Suite.same("20", Target.value(connection, "SELECT count(*) FROM " + table + " WHERE v = ?", "changed"));
        connection.commit();
    }

    private static void textBatch(Target target) throws Exception {
        Connection connection = target.open();
        String table = Target.table(connection, Target.PLAIN);
        try (Statement statement = connection.createStatement()) {
            for (int i = 0; i < 30; i++) {
                statement.addBatch("INSERT INTO " + table + " (v) VALUES ('" + i + "')");
            }
            Suite.same(30, statement.executeBatch().length);
        }
        Suite.same("30", Target.value(connection, "SELECT count(*) FROM " + table));
    }

    private static void failingBatch(Target target) throws Exception {
        Connection connection = target.inTransaction();
        String table = Target.table(connection, Target.PLAIN);
        try (PreparedStatement statement = connection.prepareStatement("INSERT INTO " + table + " VALUES (?, 'x')")) {
            for (int id : new int[] {1, 2, 2, 3}) {
                statement.setInt(1, id);
                statement.addBatch();
            }
            try {
                statement.executeBatch();
                throw new AssertionError("no error");
            } catch (BatchUpdateException error) {
                Suite.same(1062, error.getErrorCode());
            }
        }
        connection.rollback();
        Suite.same("0", Target.value(connection, "SELECT count(*) FROM " + table));
        connection.rollback();
    }

    private static void errors(Target target) throws Exception {
        Connection connection = target.open();
        String table = Target.table(connection, Target.PLAIN);
        try (PreparedStatement statement = connection.prepareStatement("INSERT INTO " + table + " VALUES (?, 'x')")) {
            for (int id : new int[] {1, 2}) {
                statement.setInt(1, id);
                statement.executeUpdate();
                Suite.same(1062, Target.code(statement::executeUpdate));
            }
        }
        Suite.same(1146, Target.code(() -> Target.value(connection, "SELECT * FROM nowhere WHERE a = ?", 1)));
        Suite.same("2", Target.value(connection, "SELECT count(*) FROM " + table));
    }

    private static void fetchSize(Target target) throws Exception {
        Connection connection = target.open();
        String table = Target.numbers(connection);
        try (PreparedStatement statement = connection.prepareStatement("SELECT n FROM " + table + " WHERE n >= ? ORDER BY n")) {
            statement.setFetchSize(10);
            statement.setInt(1, 96);
            try (ResultSet rows = statement.executeQuery()) {
                int next = 96;
                while (rows.next()) {
                    Suite.same(next++, rows.getInt(1));
                }
                Suite.same(4096, next);
            }
            try (ResultSet rows = statement.executeQuery()) {
                rows.next(); // and no more
            }
        }
        Suite.same("1", Target.value(connection, "SELECT 1"));
    }

    private static void procedure(Target target) throws Exception {
        Connection connection = target.open();
        Target.execute(connection, "DROP PROCEDURE IF EXISTS jp");
        Target.execute(connection, "CREATE PROCEDURE jp (IN a int, OUT b int, INOUT c int) BEGIN SELECT a, 'x'; SET b = a * 2;"
                + " SET c = c + 1; END");
        try (CallableStatement statement = connection.prepareCall("{call jp(?, ?, ?)}")) {
            for (int i = 0; i < 3; i++) {
                statement.setInt(1, i);
                statement.registerOutParameter(2, Types.INTEGER);
                statement.registerOutParameter(3, Types.INTEGER);
                statement.setInt(3, 10);
                statement.execute();
                try (ResultSet rows = statement.getResultSet()) {
                    rows.next();
                    Suite.same(i, rows.getInt(1));
                }
                Suite.same(i * 2, statement.getInt(2));
                Suite.same(11, statement.getInt(3));
            }
        }
    }

    private static void manyStatements(Target target) throws Exception {
        Connection connection = target.open("prepStmtCacheSize", "20");
        for (int round = 0; round < 2; round++) {
            for (int i = 0; i < 60; i++) {
                Suite.same(String.valueOf(i + round), Target.value(connection, "SELECT ? + " + i, round));
            }
        }
    }

    private static void changedTable(Target target) throws Exception {
        Connection one = target.open();
        Connection two = target.open();
        String table = Target.table(one, Target.PLAIN);
        Target.execute(one, "INSERT INTO " + table + " VALUES (1, 'a')");
        try (PreparedStatement statement = one.prepareStatement("SELECT * FROM " + table + " WHERE id = ?")) {
            statement.setInt(1, 1);
            statement.executeQuery().close();
            Target.execute(two, "ALTER TABLE " + table + " ADD COLUMN w int DEFAULT 7");
            for (int i = 0; i < 3; i++) {
                try (ResultSet rows = statement.executeQuery()) {
                    rows.next();
                    Suite.same("a", rows.getString("v"));
                    Suite.same(3, rows.getMetaData().getColumnCount());
                    Suite.same(7, rows.getInt("w"));
                }
            }
        }
    }

    private static void streamedValue(Target target) throws Exception {
        Connection connection = target.open();
        String table = Target.table(connection, "v longblob");
        byte[] data = new byte[300_000];
        for (int i = 0; i < data.length; i++) {
            data[i] = (byte) (i * 7);
        }
        try (PreparedStatement statement = connection.prepareStatement("INSERT INTO " + table + " VALUES (?)")) {
            for (int i = 0; i < 2; i++) {
                statement.setBinaryStream(1, new ByteArrayInputStream(data), data.length);
                statement.executeUpdate();
            }
        }
        try (Statement statement = connection.createStatement(); ResultSet rows = statement.executeQuery("SELECT v FROM " + table)) {
            while (rows.next()) {
                Suite.same(true, Arrays.equals(data, rows.getBytes(1)));
            }
        }
    }

    private static void texts(Target target) throws Exception {
        Connection connection = target.open();
        String table = Target.table(connection, "j json, s varchar(50)");
        try (PreparedStatement statement = connection.prepareStatement("INSERT INTO " + table + " VALUES (?, ?)")) {
            statement.setString(1, "{\"a\": [1, 2]}");
            statement.setString(2, "Grüße € 🎉");
            statement.executeUpdate();
        }
        for (int i = 0; i < 3; i++) {
            Suite.same("{\"a\": [1, 2]}", Target.value(connection, "SELECT j FROM " + table));
            Suite.same("Grüße € 🎉", Target.value(connection, "SELECT s FROM " + table + " WHERE s = ?", "Grüße € 🎉"));
        }
    }

    private static void severalResults(Target target) throws Exception {
        Connection connection = target.open("allowMultiQueries", "true");
        try (Statement statement = connection.createStatement()) {
            for (int round = 0; round < 3; round++) {
                boolean rows = statement.execute("SELECT 1; SET @a = 1; SELECT 2");
                StringBuilder got = new StringBuilder();
                while (rows || statement.getUpdateCount() != -1) {
                    if (rows) {
                        ResultSet set = statement.getResultSet();
                        set.next();
                        got.append(set.getInt(1));
                    }
                    rows = statement.getMoreResults();
                }
                Suite.same("12", got.toString());
            }
        }
    }

    private static void severalRefused(Target target) throws Exception {
        Connection connection = target.open();
        Suite.same(1064, Target.code(() -> Target.execute(connection, "SELECT 1; SELECT 2")));
        Suite.same("1", Target.value(connection, "SELECT 1"));
    }

    private static void described(Target target) throws Exception {
        Connection connection = target.open("useServerPrepStmts", "true");
        String table = Target.table(connection, "a bigint unsigned NOT NULL, b decimal(10,3), c varchar(20)");
        try (PreparedStatement statement = connection.prepareStatement("SELECT a AS x, b, c FROM " + table + " WHERE a = ?")) {
            ResultSetMetaData columns = statement.getMetaData();
            Suite.same("x b c", columns.getColumnLabel(1) + " " + columns.getColumnName(2) + " " + columns.getColumnName(3));
            Suite.same(table, columns.getTableName(1));
            Suite.same(1, statement.getParameterMetaData().getParameterCount());
        }
        try (ResultSet rows = connection.getMetaData().getColumns(System.getenv("CLIENT_DATABASE"), null, table, null)) {
            int count = 0;
            while (rows.next()) {
                count++;
            }
            Suite.same(3, count);
        }
    }

    private static void updatable(Target target) throws Exception {
        Connection connection = target.open();
        String table = Target.table(connection, Target.PLAIN);
        Target.execute(connection, "INSERT INTO " + table + " VALUES (1, 'a'), (2, 'b')");
        try (Statement statement = connection.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_UPDATABLE);
                ResultSet rows = statement.executeQuery("SELECT id, v FROM " + table + " ORDER BY id")) {
            rows.absolute(2);
            rows.updateString(2, "c");
            rows.updateRow();
        }
        Suite.same("a,c", Target.value(connection, "SELECT group_concat(v ORDER BY id) FROM " + table));
    }

    private static void localFile(Target target) throws Exception {
        Connection connection = target.open("allowLocalInfile", "true");
        String table = Target.table(connection, "a int, b text");
        StringBuilder lines = new StringBuilder();
        for (int i = 0; i < 3000; i++) {
            lines.append(i).append("\tline ").append(i).append('\n');
        }
        try (Statement statement = connection.createStatement()) {
            statement.unwrap(org.mariadb.jdbc.MariaDbStatement.class).setLocalInfileInputStream(
                    new ByteArrayInputStream(lines.toString().getBytes(StandardCharsets.UTF_8)));
            Suite.same(3000, statement.executeUpdate("LOAD DATA LOCAL INFILE 'lines' INTO TABLE " + table));
        }
        Suite.same("3000", Target.value(connection, "SELECT count(*) FROM " + table + " WHERE b = concat('line ', a)"));
    }

    private static void large(Target target) throws Exception {
        byte[] data = new byte[17 << 20];
        Arrays.fill(data, (byte) 'x');
        for (String way : new String[] {"false", "true"}) {
            Connection connection = target.open("useServerPrepStmts", way);
            String table = Target.table(connection, "v longblob");
            try (PreparedStatement statement = connection.prepareStatement("INSERT INTO " + table + " VALUES (?)")) {
                statement.setBytes(1, data);
                statement.executeUpdate();
            }
            try (Statement statement = connection.createStatement(); ResultSet rows = statement.executeQuery("SELECT v FROM " + table)) {
                rows.next();
                Suite.same(true, Arrays.equals(data, rows.getBytes(1)));
            }
        }
    }

    private static void timeout(Target target) throws Exception {
        Connection connection = target.open();
        try (Statement statement = connection.createStatement()) {
            statement.setQueryTimeout(1);
            try (ResultSet rows = statement.executeQuery("SELECT sleep(4)")) {
                rows.next();
                Suite.same(1, rows.getInt(1)); // MySQL's answer when sleep() is killed
            } catch (java.sql.SQLTimeoutException error) {
                Suite.same("70100", error.getSQLState());
            }
        }
        Suite.same("1", Target.value(connection, "SELECT 1"));
    }

    private static void cancelled(Target target) throws Exception {
        Connection connection = target.inTransaction();
        try (Statement statement = connection.createStatement()) {
            Thread canceller = new Thread(() -> {
                try {
                    Thread.sleep(300);
                    statement.cancel();
                } catch (Exception error) {
                    // the statement's own outcome tells
                }
            });
            canceller.start();
            long from = System.nanoTime();
            int code = Target.code(() -> statement.executeQuery("SELECT sleep(5)").close());
            canceller.join();
            Suite.same(true, code == 0 || code == 1317);
            Suite.same(true, System.nanoTime() - from < 4_000_000_000L);
        }
        Suite.same("1", Target.value(connection, "SELECT 1"));
        connection.rollback();
    }
}
