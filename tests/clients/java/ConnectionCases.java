// SPDX-License-Identifier: Apache-2.0
// Connections: cancelling and time-outs, many at a time, their state over transactions, the driver's own pool.
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import javax.sql.PooledConnection;
import org.postgresql.jdbc.PgStatement;
import org.postgresql.ds.PGConnectionPoolDataSource;

final class ConnectionCases {
    static void addTo(Suite suite) {
        suite.everyWay("a statement's time-out cancels it", ConnectionCases::queryTimeout);
        suite.add("a statement is cancelled by another thread", ConnectionCases::cancelled);
        suite.add("a cancelled statement leaves its neighbours alone", ConnectionCases::cancelledAmongOthers);
        suite.add("a storm of cancels hits those alone whom it is meant for", ConnectionCases::cancelStorm);
        suite.add("cancel of a connection without a statement does nothing", ConnectionCases::cancelledIdle);
        suite.add("statement_timeout ends a statement and its transaction", ConnectionCases::statementTimeout);
        suite.add("a network time-out closes the connection", ConnectionCases::networkTimeout);
        suite.add("isValid says yes, and no after close", ConnectionCases::isValid);
        suite.add("the application's name is set and read", ConnectionCases::clientInfo);
        suite.everyWay("twenty connections at a time", ConnectionCases::twenty);
        suite.add("fifty connections open and close", ConnectionCases::fifty);
        suite.add("connections wait for their turn while others hold transactions", ConnectionCases::turns);
        suite.add("settings of one connection are no other's", ConnectionCases::settings);
        suite.add("roles of one connection are no other's", ConnectionCases::roles);
        suite.add("a pooled connection of the driver is reset between its users", ConnectionCases::pooled);
        suite.add("sequences, currval and lastval", ConnectionCases::sequences);
        suite.add("LISTEN hears what others NOTIFY", ConnectionCases::listens);
        suite.add("lastval in a session that took no number", ConnectionCases::noNumber);
        suite.add("RESET ALL and DISCARD ALL bring back what the connection began with", ConnectionCases::resets);
        suite.add("a wrong password and an unknown database are refused", ConnectionCases::refused);
    }

    private static void queryTimeout(Target target) throws Exception {
        Connection connection = target.open();
        for (int i = 0; i < 2; i++) {
            try (Statement statement = connection.createStatement()) {
                statement.unwrap(PgStatement.class).setQueryTimeoutMs(200);
                Suite.same("57014", Target.state(() -> statement.executeQuery("SELECT pg_sleep(20)")));
            }
            Suite.same("1", Target.value(connection, "SELECT ?::int", 1));
        }
    }

    private static CompletableFuture<String> cancelSoon(Statement statement) {
        return CompletableFuture.supplyAsync(() -> {
            try {
                Thread.sleep(200);
                statement.cancel();
                return "";
            } catch (Exception error) {
                return error.toString();
            }
        });
    }

    private static void cancelled(Target target) throws Exception {
        Connection connection = target.inTransaction();
        for (int i = 0; i < 4; i++) {
            try (PreparedStatement statement = connection.prepareStatement("SELECT pg_sleep(?)")) {
                statement.setInt(1, 20);
                CompletableFuture<String> canceller = cancelSoon(statement);
                Suite.same("57014", Target.state(statement::executeQuery));
                Suite.same("", canceller.get(5, TimeUnit.SECONDS));
            }
            Suite.same("25P02", Target.state(() -> Target.value(connection, "SELECT 1")));
            connection.rollback();
            Suite.same("1", Target.value(connection, "SELECT 1"));
            connection.commit();
        }
    }

    private static void cancelledAmongOthers(Target target) throws Exception {
        Connection connection = target.open();
        Connection neighbour = target.open();
        CompletableFuture<String> other = CompletableFuture.supplyAsync(() -> {
            try {
                for (int i = 0; i < 40; i++) {
                    Target.value(neighbour, "SELECT pg_sleep(0.02)");
                }
                return "";
            } catch (SQLException error) {
                return error.toString();
            }
        });
        for (int i = 0; i < 30; i++) {
            try (Statement statement = connection.createStatement()) {
                CompletableFuture<Void> canceller = CompletableFuture.runAsync(() -> {
                    try {
                        statement.cancel();
                    } catch (SQLException error) {
                        // the statement is not running yet or no longer
                    }
                });
                String state = Target.state(() -> statement.executeQuery("SELECT pg_sleep(0.01)"));
                Suite.holds(state.equals("none") || state.equals("57014"), state);
                canceller.get(5, TimeUnit.SECONDS);
            }
        }
        Suite.same("", other.get(20, TimeUnit.SECONDS));
    }

    // Six whose statements are cancelled all the time, at any moment, beside six that must never see it.
    private static void cancelStorm(Target target) throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(18);
        List<Future<Void>> ends = new ArrayList<>();
        long until = System.nanoTime() + 1_500_000_000L;
        for (int i = 0; i < 6; i++) {
            Connection victim = target.openPlain();
            Connection innocent = target.openPlain();
            ends.add(threads.submit(() -> {
                while (System.nanoTime() < until) {
                    String state = Target.state(() -> Target.value(victim, "SELECT count(*) FROM generate_series(1, 3000)"));
                    Suite.holds(state.equals("none") || state.equals("57014"), state);
                }
                return null;
            }));
            ends.add(threads.submit(() -> {
                while (System.nanoTime() < until) {
                    victim.unwrap(org.postgresql.PGConnection.class).cancelQuery();
                }
                return null;
            }));
            ends.add(threads.submit(() -> {
                while (System.nanoTime() < until) {
                    Suite.same("2000", Target.value(innocent, "SELECT count(*) FROM generate_series(1, ?)", 2000));
                }
                return null;
            }));
        }
        for (Future<Void> end : ends) {
            end.get(20, TimeUnit.SECONDS);
        }
        threads.shutdown();
    }

    private static void cancelledIdle(Target target) throws Exception {
        Connection connection = target.open();
        for (int i = 0; i < 5; i++) {
            connection.unwrap(org.postgresql.PGConnection.class).cancelQuery();
            Thread.sleep(20);
            Suite.same("1", Target.value(connection, "SELECT 1"));
        }
    }

    private static void statementTimeout(Target target) throws Exception {
        Connection connection = target.open();
        Target.execute(connection, "SET statement_timeout = '150ms'");
        connection.setAutoCommit(false);
        for (int i = 0; i < 3; i++) {
            Suite.same("57014", Target.state(() -> Target.value(connection, "SELECT pg_sleep(20)")));
            Suite.same("25P02", Target.state(() -> Target.value(connection, "SELECT 1")));
            connection.rollback();
        }
        Target.execute(connection, "SET statement_timeout = 0");
        Target.value(connection, "SELECT pg_sleep(0.2)");
        connection.commit();
    }

    private static void networkTimeout(Target target) throws Exception {
        Connection connection = target.open();
        Connection other = target.open();
        connection.setNetworkTimeout(Runnable::run, 400);
        Suite.same(400, connection.getNetworkTimeout());
        Suite.same("1", Target.value(connection, "SELECT 1"));
        Suite.same("08006", Target.state(() -> Target.value(connection, "SELECT pg_sleep(3)")));
        Suite.holds(connection.isClosed(), "closed");
        Suite.same("1", Target.value(other, "SELECT 1"));
    }

    private static void isValid(Target target) throws Exception {
        Connection connection = target.open();
        for (int i = 0; i < 5; i++) {
            Suite.holds(connection.isValid(5), "valid");
            connection.setAutoCommit(i % 2 == 0);
            Target.value(connection, "SELECT 1");
            Suite.holds(connection.isValid(5), "valid in a transaction too");
            if (i % 2 != 0) {
                connection.commit();
            }
        }
        connection.setAutoCommit(false);
        Suite.same("42P01", Target.state(() -> Target.value(connection, "SELECT * FROM nowhere")));
        Suite.holds(connection.isValid(5), "valid in a failed transaction");
        connection.rollback();
        connection.close();
        Suite.holds(!connection.isValid(5), "not valid when closed");
    }

    private static void clientInfo(Target target) throws Exception {
        Connection one = target.open("ApplicationName", "first");
        Connection two = target.open("ApplicationName", "second");
        for (int i = 0; i < 5; i++) {
            Suite.same("first", Target.value(one, "SELECT current_setting('application_name')"));
            Suite.same("second", Target.value(two, "SHOW application_name"));
        }
        one.setClientInfo("ApplicationName", "changed 'quoted'");
        for (int i = 0; i < 5; i++) {
            Suite.same("changed 'quoted'", Target.value(one, "SHOW application_name"));
            Suite.same("changed 'quoted'", one.getClientInfo("ApplicationName"));
            Suite.same("second", Target.value(two, "SHOW application_name"));
        }
    }

    // One connection's share of the work of twenty: statements of its own name in transactions of its own.
    private static Void work(Connection connection, String table, int number) throws Exception {
        connection.setAutoCommit(false);
        for (int i = 0; i < 10; i++) {
            try (PreparedStatement insert = connection.prepareStatement("INSERT INTO " + table + " VALUES (?, " + number + ")")) {
                insert.setInt(1, i);
                insert.executeUpdate();
            }
            String sql = "SELECT count(*) + " + number + " FROM " + table + " WHERE owner = ?";
            Suite.same(String.valueOf(i + 1 + number), Target.value(connection, sql, number));
            connection.commit();
        }
        return null;
    }

    private static void twenty(Target target) throws Exception {
        List<Connection> connections = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            connections.add(target.openPlain());
        }
        String table = Target.table(connections.get(0), "id int, owner int");
        ExecutorService threads = Executors.newFixedThreadPool(20);
        List<Future<Void>> shares = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            int number = i;
            shares.add(threads.submit(() -> work(connections.get(number), table, number)));
        }
        for (Future<Void> share : shares) {
            share.get(20, TimeUnit.SECONDS);
        }
        threads.shutdown();
        connections.get(0).setAutoCommit(true);
        Suite.same("200", Target.value(connections.get(0), "SELECT count(*) FROM " + table));
    }

    private static void fifty(Target target) throws Exception {
        for (int i = 0; i < 50; i++) {
            try (Connection connection = target.open()) {
                Suite.same(String.valueOf(i), Target.value(connection, "SELECT ?::int", i));
            }
        }
    }

    private static void turns(Target target) throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(12);
        List<Future<String>> turns = new ArrayList<>();
        for (int i = 0; i < 12; i++) {
            Connection connection = target.openPlain();
            connection.setAutoCommit(false);
            turns.add(threads.submit(() -> {
                Target.value(connection, "SELECT pg_sleep(0.05)");
                Target.value(connection, "SELECT pg_sleep(0.05)");
                connection.commit();
                return "";
            }));
        }
        for (Future<String> turn : turns) {
            Suite.same("", turn.get(20, TimeUnit.SECONDS));
        }
        threads.shutdown();
    }

    private static void settings(Target target) throws Exception {
        Connection one = target.open();
        Connection two = target.open();
        Target.execute(one, "SET work_mem = '9MB'; SET DateStyle = 'ISO, DMY'; SET app.tenant = 'acme'");
        Target.execute(one, "SET bytea_output = 'escape'; SET search_path = pg_catalog, public");
        for (int i = 0; i < 6; i++) {
            Suite.same("9MB", Target.value(one, "SHOW work_mem"));
            Suite.same("acme", Target.value(one, "SELECT current_setting('app.tenant')"));
            Suite.same("escape", Target.value(one, "SHOW bytea_output"));
            Suite.same("4MB", Target.value(two, "SHOW work_mem"));
            Suite.same("", Target.value(two, "SELECT coalesce(current_setting('app.tenant', true), '')"));
            Suite.same("hex", Target.value(two, "SHOW bytea_output"));
            Suite.same("\"$user\", public", Target.value(two, "SHOW search_path"));
        }
    }

    private static void roles(Target target) throws Exception {
        Connection one = target.open();
        Connection two = target.open();
        Target.execute(one, "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY");
        Target.execute(one, "SET ROLE reader");
        for (int i = 0; i < 4; i++) {
            Suite.same("reader", Target.value(one, "SELECT current_user"));
            Suite.same("on", Target.value(one, "SHOW transaction_read_only"));
            Suite.same(Target.user(), Target.value(two, "SELECT current_user"));
            Suite.same("off", Target.value(two, "SHOW transaction_read_only"));
        }
        Target.execute(one, "RESET ROLE");
        Suite.same(Target.user(), Target.value(one, "SELECT current_user"));
    }

    private static void pooled(Target target) throws Exception {
        PGConnectionPoolDataSource source = new PGConnectionPoolDataSource();
        source.setUrl(Target.url());
        source.setUser(Target.user());
        source.setPassword(Target.password());
        PooledConnection pooled = source.getPooledConnection();
        try {
            for (int i = 0; i < 5; i++) {
                Connection connection = pooled.getConnection();
                connection.setAutoCommit(false);
                Target.execute(connection, "CREATE TABLE never (id int)");
                connection.close(); // rolls back
            }
        } finally {
            pooled.close();
        }
    }

    private static void sequences(Target target) throws Exception {
        Connection one = target.open();
        Connection two = target.open();
        Target.execute(one, "CREATE SEQUENCE numbers");
        one.setAutoCommit(false); // between transactions another backend may be asked, which took no number
        two.setAutoCommit(false);
        Suite.same("1", Target.value(one, "SELECT nextval('numbers')"));
        Suite.same("2", Target.value(two, "SELECT nextval('numbers')"));
        for (int i = 0; i < 4; i++) {
            Suite.same("1", Target.value(one, "SELECT currval('numbers')"));
            Suite.same("2", Target.value(two, "SELECT lastval()"));
        }
    }

    private static void listens(Target target) throws Exception {
        Connection listener = target.openPlain();
        Connection other = target.openPlain();
        Target.execute(listener, "LISTEN java_news");
        for (int i = 0; i < 3; i++) {
            Target.execute(other, "NOTIFY java_news, 'number " + i + "'");
            var heard = listener.unwrap(org.postgresql.PGConnection.class).getNotifications(5000);
            Suite.same(1, heard.length);
            Suite.same("java_news number " + i, heard[0].getName() + " " + heard[0].getParameter());
        }
    }

    private static void noNumber(Target target) throws Exception {
        Connection connection = target.openPlain();
        String table = Target.table(connection, "id serial");
        List<Connection> others = new ArrayList<>();
        for (int i = 0; i < 3; i++) { // at the same time: all backends have taken a number
            others.add(target.openPlain());
            others.get(i).setAutoCommit(false);
            Target.execute(others.get(i), "INSERT INTO " + table + " DEFAULT VALUES");
        }
        for (Connection other : others) {
            other.commit();
        }
        Connection none = target.openPlain();
        Suite.same("55000", Target.state(() -> Target.value(none, "SELECT lastval()")));
        Suite.same("55000", Target.state(() -> Target.value(none, "SELECT currval('" + table + "_id_seq')")));
    }

    private static void resets(Target target) throws Exception {
        Connection connection = target.open("ApplicationName", "began", "assumeMinServerVersion", "9.1", "options", "-c work_mem=6MB");
        for (String reset : new String[] {"RESET ALL", "DISCARD ALL"}) {
            Target.execute(connection, "SET work_mem = '9MB'");
            Target.execute(connection, "SET application_name = 'changed'");
            Target.execute(connection, reset);
            for (int i = 0; i < 3; i++) {
                Suite.same("6MB", Target.value(connection, "SHOW work_mem"));
                Suite.same("began", Target.value(connection, "SHOW application_name"));
            }
        }
    }

    private static void refused(Target target) throws Exception {
        Suite.same("28P01", Target.state(() -> target.open("password", "wrong")));
        Suite.same("28P01", Target.state(() -> target.open("user", "nobody")));
        Suite.same("3D000", Target.state(() -> target.openAt(Target.url() + "_none")));
        ResultSet rows = target.open().createStatement().executeQuery("SELECT 1");
        Suite.holds(rows.next(), "and the right ones are let in");
    }
}
