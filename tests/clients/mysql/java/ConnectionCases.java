// SPDX-License-Identifier: Apache-2.0
// Connections: transactions, their state, many at a time, being refused.
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.Savepoint;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

final class ConnectionCases {
    static void addTo(Suite suite) {
        suite.everyWay("transactions commit and roll back", ConnectionCases::transactions);
        suite.everyWay("savepoints", ConnectionCases::savepoints);
        suite.everyWay("twenty connections at a time", ConnectionCases::twenty);
        suite.add("isolation levels are kept", ConnectionCases::isolation);
        suite.add("read-only connections", ConnectionCases::readOnly);
        suite.add("settings of each connection are its own", ConnectionCases::settings);
        suite.add("settings named in the address", ConnectionCases::sessionVariables);
        suite.add("temporary tables and user variables", ConnectionCases::state);
        suite.add("another catalog is chosen", ConnectionCases::catalog);
        suite.add("a deadlock ends one of two transactions", ConnectionCases::deadlock);
        suite.add("found rows or changed rows", ConnectionCases::affectedRows);
        suite.add("warnings within a transaction", ConnectionCases::warnings);
        suite.add("isValid says yes, and no after close", ConnectionCases::isValid);
        suite.add("thirty connections, one after the other", ConnectionCases::oneByOne);
        suite.add("what the driver asks about the server", ConnectionCases::metadata);
        suite.add("a wrong password and an unknown user are refused", ConnectionCases::refused);
    }

    private static void transactions(Target target) throws Exception {
        Connection one = target.inTransaction();
        Connection two = target.open();
        String table = Target.table(one, Target.PLAIN);
        try (PreparedStatement insert = one.prepareStatement("INSERT INTO " + table + " (v) VALUES (?)")) {
            for (int i = 0; i < 6; i++) {
                insert.setString(1, "v" + i);
                insert.executeUpdate();
                Suite.same(String.valueOf(i / 2), Target.value(two, "SELECT count(*) FROM " + table));
                if (i % 2 == 0) {
                    one.rollback();
                } else {
                    one.commit();
                }
            }
        }
        one.setAutoCommit(true);
        Target.execute(one, "INSERT INTO " + table + " (v) VALUES ('x')");
        Suite.same("4", Target.value(two, "SELECT count(*) FROM " + table));
    }

    private static void savepoints(Target target) throws Exception {
        Connection one = target.inTransaction();
        String table = Target.table(one, Target.PLAIN);
        Target.execute(one, "INSERT INTO " + table + " (v) VALUES ('a')");
        Savepoint point = one.setSavepoint("point");
        Target.execute(one, "INSERT INTO " + table + " (v) VALUES ('b')");
        one.rollback(point);
        one.releaseSavepoint(point);
        one.commit();
        Suite.same("a", Target.value(one, "SELECT group_concat(v) FROM " + table));
        one.commit();
    }

    private static void twenty(Target target) throws Exception {
        Connection first = target.open();
        String table = Target.table(first, Target.PLAIN);
        Target.execute(first, "INSERT INTO " + table + " VALUES (1, '0')");
        ExecutorService threads = Executors.newFixedThreadPool(20);
        try {
            List<Future<String>> all = new ArrayList<>();
            for (int i = 0; i < 20; i++) {
                int number = i;
                all.add(threads.submit(() -> {
                    // Sent ahead of the login's end, the driver's first statements must be answered in half a second.
                    Connection connection = target.inTransaction("usePipelineAuth", "false");
                    Target.value(connection, "SELECT ?", number);
                    Target.execute(connection, "UPDATE " + table + " SET v = v + 1 WHERE id = 1");
                    connection.commit();
                    return Target.value(connection, "SELECT ? * 2", number);
                }));
            }
            for (int i = 0; i < 20; i++) {
                Suite.same((double) i * 2, Double.valueOf(all.get(i).get()));
            }
        } finally {
            threads.shutdownNow();
        }
        Suite.same("20", Target.value(first, "SELECT v FROM " + table));
    }

    private static void isolation(Target target) throws Exception {
        Connection one = target.inTransaction();
        Connection two = target.inTransaction();
        one.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
        for (int i = 0; i < 3; i++) {
            Suite.same(Connection.TRANSACTION_SERIALIZABLE, one.getTransactionIsolation());
            Suite.same(Connection.TRANSACTION_REPEATABLE_READ, two.getTransactionIsolation());
            one.commit();
            two.commit();
        }
    }

    private static void readOnly(Target target) throws Exception {
        Connection one = target.open();
        String table = Target.table(one, Target.PLAIN);
        one.setReadOnly(true);
        one.setAutoCommit(false);
        Target.value(one, "SELECT count(*) FROM " + table);
        one.commit();
        one.setReadOnly(false);
        Target.execute(one, "INSERT INTO " + table + " (v) VALUES ('x')");
        one.commit();
    }

    private static void settings(Target target) throws Exception {
        List<Connection> all = List.of(target.open(), target.open(), target.open(), target.open());
        for (int i = 0; i < all.size(); i++) {
            Target.execute(all.get(i), "SET time_zone = '+0" + i + ":00', group_concat_max_len = 100" + i);
        }
        for (int round = 0; round < 3; round++) {
            for (int i = 0; i < all.size(); i++) {
                Suite.same("+0" + i + ":00 100" + i,
                        Target.value(all.get(i), "SELECT concat(@@time_zone, ' ', @@group_concat_max_len)"));
            }
        }
    }

    private static void sessionVariables(Target target) throws Exception {
        Connection one = target.open("sessionVariables", "group_concat_max_len=4321,sql_mode='ANSI_QUOTES'", "autocommit", "true");
        for (int i = 0; i < 3; i++) {
            Suite.same("4321", Target.value(one, "SELECT @@group_concat_max_len"));
        }
    }

    private static void state(Target target) throws Exception {
        Connection one = target.open();
        Connection two = target.open();
        Target.execute(one, "CREATE TEMPORARY TABLE mine (a int)");
        Target.execute(one, "SET @x = 5");
        Suite.same(1146, Target.code(() -> Target.value(two, "SELECT * FROM mine")));
        Suite.same("5", Target.value(one, "SELECT count(*) + @x FROM mine"));
        Suite.same(null, Target.value(two, "SELECT @x"));
    }

    private static void catalog(Target target) throws Exception {
        Connection one = target.open();
        Connection two = target.open();
        one.setCatalog("annex");
        for (int i = 0; i < 3; i++) {
            Suite.same("annex", one.getCatalog());
            Suite.same("shop", Target.value(two, "SELECT database()"));
        }
    }

    private static void deadlock(Target target) throws Exception {
        Connection one = target.inTransaction();
        Connection two = target.inTransaction();
        String table = Target.table(one, Target.PLAIN);
        Target.execute(one, "INSERT INTO " + table + " VALUES (1, 'a'), (2, 'b')");
        one.commit();
        Target.execute(one, "UPDATE " + table + " SET v = 'one' WHERE id = 1");
        Target.execute(two, "UPDATE " + table + " SET v = 'two' WHERE id = 2");
        ExecutorService thread = Executors.newSingleThreadExecutor();
        try {
            Future<Integer> waiting = thread.submit(
                    () -> Target.code(() -> Target.execute(one, "UPDATE " + table + " SET v = 'one' WHERE id = 2")));
            int second = Target.code(() -> Target.execute(two, "UPDATE " + table + " SET v = 'two' WHERE id = 1"));
            if (second == 1213) {
                two.rollback();
            } else {
                two.commit();
            }
            Suite.same(1213, waiting.get() + second);
        } finally {
            thread.shutdownNow();
        }
        one.rollback();
        Suite.same("1", Target.value(two, "SELECT 1"));
        two.rollback();
    }

    private static void affectedRows(Target target) throws Exception {
        Connection changed = target.open("useAffectedRows", "true");
        Connection found = target.open();
        String table = Target.table(changed, Target.PLAIN);
        Target.execute(changed, "INSERT INTO " + table + " VALUES (1, 'same')");
        for (int i = 0; i < 4; i++) {
            Suite.same(0, changed.createStatement().executeUpdate("UPDATE " + table + " SET v = 'same'"));
            Suite.same(1, found.createStatement().executeUpdate("UPDATE " + table + " SET v = 'same'"));
        }
    }

    private static void warnings(Target target) throws Exception {
        Connection one = target.open("sessionVariables", "sql_mode=''");
        String table = Target.table(one, "a tinyint");
        one.setAutoCommit(false);
        try (var statement = one.createStatement()) {
            statement.executeUpdate("INSERT INTO " + table + " VALUES (1000)");
            Suite.same(1264, statement.getWarnings().getErrorCode());
        }
        one.rollback();
    }

    private static void isValid(Target target) throws Exception {
        Connection one = target.open();
        Suite.same(true, one.isValid(2));
        one.close();
        Suite.same(false, one.isValid(2));
    }

    private static void oneByOne(Target target) throws Exception {
        for (int i = 0; i < 30; i++) {
            try (Connection one = target.open()) {
                Suite.same(String.valueOf(i), Target.value(one, "SELECT ?", i));
            }
        }
    }

    private static void metadata(Target target) throws Exception {
        Connection one = target.open();
        String version = Target.value(one, "SELECT version()");
        Suite.same(version, one.getMetaData().getDatabaseProductVersion());
        try (var rows = one.getMetaData().getTypeInfo()) {
            Suite.same(true, rows.next());
        }
    }

    private static void refused(Target target) throws Exception {
        Suite.same(1045, Target.code(() -> target.open("password", "wrong")));
        Suite.same(1045, Target.code(() -> target.open("user", "nobody")));
    }
}
