// SPDX-License-Identifier: Apache-2.0
// Result sets: fetched in parts, scrolled, updated in place, held over a commit, and cursors of SQL's own.
import java.sql.CallableStatement;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLWarning;
import java.sql.Statement;
import java.sql.Types;

final class CursorCases {
    static void addTo(Suite suite) {
        suite.everyWay("rows are fetched fifty at a time", CursorCases::fetched);
        suite.everyWay("a result set is scrolled to and fro", CursorCases::scrolled);
        suite.everyWay("a result set updates its rows", CursorCases::updated);
        suite.add("two cursors are read by turns in one transaction", CursorCases::byTurns);
        suite.add("a cursor is left in the middle", CursorCases::leftInTheMiddle);
        suite.add("an error while rows are fetched", CursorCases::errorInTheMiddle);
        suite.add("a result set held over the commit", CursorCases::heldOver);
        suite.add("a cursor WITH HOLD outlives its transaction", CursorCases::withHold);
        suite.add("a fetch size that adapts itself", CursorCases::adaptive);
        suite.add("20 MB in 20 rows are fetched one by one", CursorCases::wideRows);
        suite.add("functions and procedures are called", CursorCases::called);
        suite.add("a function returns a cursor", CursorCases::refcursor);
        suite.add("notices become warnings", CursorCases::notices);
        suite.add("an empty statement and comments", CursorCases::empty);
    }

    private static int count(ResultSet rows) throws Exception {
        int count = 0;
        while (rows.next()) {
            Suite.same(++count, rows.getInt(1));
        }
        return count;
    }

    private static void fetched(Target target) throws Exception {
        Connection connection = target.inTransaction();
        try (PreparedStatement select = connection.prepareStatement("SELECT generate_series(1, ?)")) {
            select.setFetchSize(50);
            for (int i = 0; i < 4; i++) {
                select.setInt(1, 1000 + i);
                Suite.same(1000 + i, count(select.executeQuery()));
                if (i % 2 == 0) {
                    connection.commit();
                }
            }
        }
    }

    private static void scrolled(Target target) throws Exception {
        Connection connection = target.open();
        try (Statement statement = connection.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_READ_ONLY)) {
            ResultSet rows = statement.executeQuery("SELECT generate_series(1, 100)");
            Suite.holds(rows.last() && rows.getRow() == 100, "last");
            Suite.holds(rows.absolute(17) && rows.getInt(1) == 17, "absolute");
            Suite.holds(rows.relative(-7) && rows.getInt(1) == 10, "relative");
            Suite.holds(rows.previous() && rows.getInt(1) == 9, "previous");
        }
    }

    private static void updated(Target target) throws Exception {
        Connection connection = target.open();
        String table = Target.table(connection, "id int PRIMARY KEY, body text");
        Target.execute(connection, "INSERT INTO " + table + " VALUES (1, 'one'), (2, 'two'), (3, 'three')");
        try (Statement statement = connection.createStatement(ResultSet.TYPE_SCROLL_SENSITIVE, ResultSet.CONCUR_UPDATABLE)) {
            ResultSet rows = statement.executeQuery("SELECT id, body FROM " + table + " ORDER BY id");
            rows.next();
            rows.updateString("body", "uno");
            rows.updateRow();
            rows.next();
            rows.deleteRow();
            rows.moveToInsertRow();
            rows.updateInt(1, 4);
            rows.updateString(2, "four");
            rows.insertRow();
            rows.moveToCurrentRow();
            rows.absolute(1);
            rows.refreshRow();
            Suite.same("uno", rows.getString(2));
        }
        Suite.same("uno,three,four", Target.value(connection, "SELECT string_agg(body, ',' ORDER BY id) FROM " + table));
    }

    private static void byTurns(Target target) throws Exception {
        Connection connection = target.inTransaction("defaultRowFetchSize", "10");
        try (Statement one = connection.createStatement(); Statement two = connection.createStatement()) {
            ResultSet left = one.executeQuery("SELECT generate_series(1, 200)");
            ResultSet right = two.executeQuery("SELECT generate_series(1001, 1200)");
            for (int i = 1; i <= 200; i++) {
                Suite.holds(left.next() && right.next(), "rows on both");
                Suite.same(i, left.getInt(1));
                Suite.same(1000 + i, right.getInt(1));
                Suite.same("x", i % 40 == 0 ? Target.value(connection, "SELECT 'x'") : "x");
            }
        }
        connection.commit();
    }

    private static void leftInTheMiddle(Target target) throws Exception {
        Connection connection = target.inTransaction("defaultRowFetchSize", "10");
        for (int i = 0; i < 10; i++) {
            Statement statement = connection.createStatement();
            ResultSet rows = statement.executeQuery("SELECT generate_series(1, 100000)");
            for (int row = 0; row < 25; row++) {
                rows.next();
            }
            if (i % 3 == 0) {
                connection.commit(); // the portal is gone, rows already here are still read
                for (int row = 0; row < 5; row++) {
                    Suite.holds(rows.next(), "a row that was fetched");
                }
                Suite.same("34000", Target.state(() -> {
                    while (rows.next()) {
                        Suite.holds(rows.getInt(1) < 100, "not all of them");
                    }
                }));
                connection.rollback();
            } else if (i % 3 == 1) {
                rows.close();
                connection.commit();
            } else {
                statement.close();
                connection.rollback();
            }
        }
        Suite.same("1", Target.value(connection, "SELECT 1"));
    }

    private static void errorInTheMiddle(Target target) throws Exception {
        Connection connection = target.inTransaction("defaultRowFetchSize", "10");
        for (int i = 0; i < 3; i++) {
            try (Statement statement = connection.createStatement()) {
                ResultSet rows = statement.executeQuery("SELECT 10 / (35 - n) FROM generate_series(1, 100) n");
                int[] seen = {0};
                Suite.same("22012", Target.state(() -> {
                    while (rows.next()) {
                        seen[0]++;
                    }
                }));
                Suite.same(30, seen[0]);
            }
            connection.rollback();
            Suite.same("5", Target.value(connection, "SELECT 5"));
            connection.commit();
        }
    }

    private static void heldOver(Target target) throws Exception {
        Connection connection = target.inTransaction();
        connection.setHoldability(ResultSet.HOLD_CURSORS_OVER_COMMIT);
        try (Statement statement = connection.createStatement()) {
            statement.setFetchSize(10);
            ResultSet rows = statement.executeQuery("SELECT generate_series(1, 100)");
            rows.next();
            connection.commit();
            int count = 1;
            while (rows.next()) {
                count++;
            }
            Suite.same(100, count);
        }
    }

    private static void withHold(Target target) throws Exception {
        Connection connection = target.inTransaction();
        Target.execute(connection, "DECLARE held CURSOR WITH HOLD FOR SELECT generate_series(1, 30)");
        connection.commit();
        for (int i = 0; i < 3; i++) {
            try (Statement statement = connection.createStatement()) {
                ResultSet rows = statement.executeQuery("FETCH 10 FROM held");
                for (int row = 1; row <= 10; row++) {
                    rows.next();
                    Suite.same(10 * i + row, rows.getInt(1));
                }
            }
            connection.commit();
        }
        Target.execute(connection, "CLOSE held");
        connection.commit();
        Suite.same("1", Target.value(connection, "SELECT 1"));
    }

    private static void adaptive(Target target) throws Exception {
        Connection connection =
                target.inTransaction("adaptiveFetch", "true", "maxResultBuffer", "2M", "defaultRowFetchSize", "10");
        try (Statement statement = connection.createStatement()) {
            ResultSet rows = statement.executeQuery("SELECT n, repeat('x', 50) FROM generate_series(1, 20000) n");
            Suite.same(20_000, count(rows));
        }
        connection.commit();
    }

    private static void wideRows(Target target) throws Exception {
        Connection connection = target.inTransaction();
        try (Statement statement = connection.createStatement()) {
            statement.setFetchSize(1);
            ResultSet rows = statement.executeQuery("SELECT repeat(chr(64 + n), 1048576) FROM generate_series(1, 20) n");
            for (int i = 1; i <= 20; i++) {
                Suite.holds(rows.next(), "a row");
                Suite.same(1_048_576, rows.getString(1).length());
                Suite.same((char) (64 + i), rows.getString(1).charAt(1_000_000));
            }
        }
        connection.commit();
    }

    private static void called(Target target) throws Exception {
        Connection connection = target.open("escapeSyntaxCallMode", "callIfNoReturn");
        Target.execute(connection, "CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql AS 'SELECT 2 * n'");
        Target.execute(connection, "CREATE PROCEDURE thrice(INOUT n int) LANGUAGE plpgsql AS 'BEGIN n := 3 * n; COMMIT; END'");
        Target.execute(connection, "CREATE FUNCTION parts(n int, OUT a int, OUT b text) LANGUAGE sql AS 'SELECT n, n::text'");
        for (int i = 0; i < 5; i++) {
            try (CallableStatement call = connection.prepareCall("{? = call twice(?)}")) {
                call.registerOutParameter(1, Types.INTEGER);
                call.setInt(2, i);
                call.execute();
                Suite.same(2 * i, call.getInt(1));
            }
            try (CallableStatement call = connection.prepareCall("{call thrice(?)}")) {
                call.setInt(1, i);
                call.registerOutParameter(1, Types.INTEGER);
                call.execute();
                Suite.same(3 * i, call.getInt(1));
            }
            try (PreparedStatement select = connection.prepareStatement("SELECT * FROM parts(?)")) {
                select.setInt(1, i);
                ResultSet rows = select.executeQuery();
                rows.next();
                Suite.same(String.valueOf(i), rows.getString("b"));
            }
        }
    }

    private static void refcursor(Target target) throws Exception {
        Connection connection = target.inTransaction();
        Target.execute(connection, "CREATE FUNCTION opened() RETURNS refcursor LANGUAGE plpgsql AS"
                + " 'DECLARE c refcursor; BEGIN OPEN c FOR SELECT generate_series(1, 25); RETURN c; END'");
        connection.commit();
        for (int i = 0; i < 3; i++) {
            try (CallableStatement call = connection.prepareCall("{? = call opened()}")) {
                call.registerOutParameter(1, Types.REF_CURSOR);
                call.execute();
                Suite.same(25, count(call.getObject(1, ResultSet.class)));
            }
            connection.commit();
        }
    }

    private static void notices(Target target) throws Exception {
        Connection connection = target.open();
        for (int i = 0; i < 5; i++) {
            try (Statement statement = connection.createStatement()) {
                statement.execute("DO $$ BEGIN RAISE NOTICE 'number %', " + i + "; RAISE WARNING 'careful'; END $$");
                SQLWarning warning = statement.getWarnings();
                Suite.same("number " + i, warning.getMessage());
                Suite.same("00000", warning.getSQLState());
                Suite.same("careful", warning.getNextWarning().getMessage());
                Suite.same("01000", warning.getNextWarning().getSQLState());
            }
        }
        Target.execute(connection, "SET client_min_messages = error");
        try (Statement statement = connection.createStatement()) {
            statement.execute("DO $$ BEGIN RAISE NOTICE 'unheard'; END $$");
            Suite.same(null, statement.getWarnings());
        }
    }

    private static void empty(Target target) throws Exception {
        Connection connection = target.open();
        for (String text : new String[] {"", ";", "-- nothing", "/* nothing /* at all */ */", "; ;"}) {
            try (Statement statement = connection.createStatement()) {
                Suite.holds(!statement.execute(text), "no rows");
            }
            Suite.same("1", Target.value(connection, "SELECT 1 -- one"));
        }
    }
}
