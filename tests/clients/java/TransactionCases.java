// SPDX-License-Identifier: Apache-2.0
// Transactions: savepoints, errors and recovery, isolation, read only, two phases, and transactions that nobody ended.
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import javax.sql.XAConnection;
import javax.transaction.xa.XAResource;
import javax.transaction.xa.Xid;
import org.postgresql.util.PSQLException;
import org.postgresql.util.ServerErrorMessage;
import org.postgresql.xa.PGXADataSource;

final class TransactionCases {
    static void addTo(Suite suite) {
        suite.everyWay("commit is seen by another connection and rollback is not", TransactionCases::commits);
        suite.everyWay("savepoints are released and rolled back to", TransactionCases::savepoints);
        suite.everyWay("an error in a transaction and work after it", TransactionCases::recovers);
        suite.add("isolation levels hold until they are changed", TransactionCases::isolation);
        suite.add("a serializable conflict is reported to one of two", TransactionCases::serialization);
        suite.add("a deadlock is reported to one of two", TransactionCases::deadlock);
        suite.add("read only connections refuse to write", TransactionCases::readOnly);
        suite.add("read only set once for the session", target -> readOnlySession(target, "always"));
        suite.add("read only that the driver ignores", target -> readOnlySession(target, "ignore"));
        suite.add("BEGIN and COMMIT as texts", TransactionCases::byHand);
        suite.add("BEGIN, work and COMMIT in one text", TransactionCases::inOneText);
        suite.add("two phases: prepare, then commit from another connection", TransactionCases::twoPhases);
        suite.add("a connection closed in a transaction has rolled it back", TransactionCases::leftOpen);
        suite.add("deferred constraints fail the commit", TransactionCases::deferred);
        suite.add("a server's error comes with all its fields", TransactionCases::fields);
        suite.add("SET LOCAL and set_config end with their transaction", TransactionCases::local);
        suite.add("a temporary table that lives as long as its transaction", TransactionCases::temporary);
        suite.add("autosave of the conservative kind", TransactionCases::conservative);
        suite.add("advisory locks of transactions and of sessions", TransactionCases::advisory);
        suite.add("SELECT FOR UPDATE makes another wait", TransactionCases::rowLocks);
    }

    private static void commits(Target target) throws Exception {
        Connection connection = target.inTransaction();
        Connection other = target.open();
        String table = Target.table(connection, "id int");
        connection.commit();
        for (int i = 0; i < 10; i++) {
            Target.value(connection, "INSERT INTO " + table + " VALUES (?) RETURNING id", i);
            Suite.same(String.valueOf((i + 1) / 2), Target.value(other, "SELECT count(*) FROM " + table));
            if (i % 2 == 0) {
                connection.commit();
            } else {
                connection.rollback();
            }
        }
        Suite.same("5", Target.value(other, "SELECT count(*) FROM " + table));
    }

    private static void savepoints(Target target) throws Exception {
        Connection connection = target.inTransaction();
        String table = Target.table(connection, "id int PRIMARY KEY");
        for (int i = 0; i < 5; i++) {
            Target.execute(connection, "INSERT INTO " + table + " VALUES (" + 10 * i + ")");
            Savepoint outer = connection.setSavepoint("outer");
            Target.execute(connection, "INSERT INTO " + table + " VALUES (" + (10 * i + 1) + ")");
            Savepoint inner = connection.setSavepoint();
            final String again = "INSERT INTO " + table + " VALUES (" + (10 * i + 1) + ")";
            Suite.same("23505", Target.state(() -> Target.execute(connection, again)));
            connection.rollback(inner);
            connection.releaseSavepoint(inner);
            Suite.same(String.valueOf(i + 2), Target.value(connection, "SELECT count(*) FROM " + table));
            connection.rollback(outer);
            connection.commit();
        }
        Suite.same("5", Target.value(connection, "SELECT count(*) FROM " + table));
    }

    private static void recovers(Target target) throws Exception {
        Connection connection = target.inTransaction();
        for (int i = 0; i < 5; i++) {
            Suite.same("1", Target.value(connection, "SELECT ?::int", 1));
            Suite.same("22012", Target.state(() -> Target.value(connection, "SELECT 1 / ?::int", 0)));
            String after = target.autosave() ? "none" : "25P02";
            Suite.same(after, Target.state(() -> Target.value(connection, "SELECT ?::int", 1)));
            connection.rollback();
            Suite.same("42P01", Target.state(() -> Target.value(connection, "SELECT * FROM nowhere WHERE id = ?", 1)));
            connection.rollback();
            Suite.same("2", Target.value(connection, "SELECT ?::int", 2));
            connection.commit();
        }
    }


    private static void isolation(Target target) throws Exception {
        Connection connection = target.open();
        Connection other = target.open();
        int[] levels = {Connection.TRANSACTION_SERIALIZABLE, Connection.TRANSACTION_REPEATABLE_READ,
                Connection.TRANSACTION_READ_COMMITTED};
        String[] names = {"serializable", "repeatable read", "read committed"};
        for (int i = 0; i < levels.length; i++) {
            connection.setTransactionIsolation(levels[i]);
            for (int round = 0; round < 4; round++) {
                Suite.same(names[i], Target.value(connection, "SHOW transaction_isolation"));
                Suite.same(levels[i], connection.getTransactionIsolation());
                Suite.same("read committed", Target.value(other, "SHOW transaction_isolation"));
            }
        }
        connection.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
        String table = Target.table(connection, "id int");
        connection.setAutoCommit(false);
        Suite.same("0", Target.value(connection, "SELECT count(*) FROM " + table));
        Target.execute(other, "INSERT INTO " + table + " VALUES (1)");
        Suite.same("0", Target.value(connection, "SELECT count(*) FROM " + table));
        connection.commit();
        Suite.same("1", Target.value(connection, "SELECT count(*) FROM " + table));
    }

    private static void serialization(Target target) throws Exception {
        Connection one = target.inTransaction();
        Connection two = target.inTransaction();
        one.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
        two.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
        String table = Target.table(one, "id int, n int");
        Target.execute(one, "INSERT INTO " + table + " VALUES (1, 0), (2, 0)");
        one.commit();
        Target.value(one, "SELECT sum(n) FROM " + table);
        Target.value(two, "SELECT sum(n) FROM " + table);
        Target.execute(one, "UPDATE " + table + " SET n = 1 WHERE id = 1");
        Target.execute(two, "UPDATE " + table + " SET n = 1 WHERE id = 2");
        one.commit();
        Suite.same("40001", Target.state(two::commit));
        two.rollback();
        Suite.same("1", Target.value(two, "SELECT sum(n) FROM " + table));
    }

    private static void deadlock(Target target) throws Exception {
        Connection one = target.inTransaction();
        Connection two = target.inTransaction();
        String table = Target.table(one, "id int, n int");
        Target.execute(one, "INSERT INTO " + table + " VALUES (1, 0), (2, 0)");
        one.commit();
        String update = "UPDATE " + table + " SET n = n + 1 WHERE id = ";
        Target.execute(one, update + 1);
        Target.execute(two, update + 2);
        CompletableFuture<String> first = CompletableFuture.supplyAsync(() -> updateAndCommit(one, update + 2));
        CompletableFuture<String> second = CompletableFuture.supplyAsync(() -> updateAndCommit(two, update + 1));
        String states = first.get(20, TimeUnit.SECONDS) + " " + second.get(20, TimeUnit.SECONDS);
        Suite.holds(states.equals("none 40P01") || states.equals("40P01 none"), states);
    }

    private static String updateAndCommit(Connection connection, String update) {
        try {
            String state = Target.state(() -> Target.execute(connection, update));
            if (state.equals("none")) {
                connection.commit();
            } else {
                connection.rollback();
            }
            return state;
        } catch (Exception error) {
            return error.toString();
        }
    }

    private static void readOnly(Target target) throws Exception {
        Connection connection = target.inTransaction();
        String table = Target.table(connection, "id int");
        connection.commit();
        for (int i = 0; i < 3; i++) {
            connection.setReadOnly(true);
            Suite.same("on", Target.value(connection, "SHOW transaction_read_only"));
            Suite.same("25006", Target.state(() -> Target.execute(connection, "INSERT INTO " + table + " VALUES (1)")));
            connection.rollback();
            connection.setReadOnly(false);
            Target.execute(connection, "INSERT INTO " + table + " VALUES (1)");
            connection.commit();
        }
        Suite.same("3", Target.value(connection, "SELECT count(*) FROM " + table));
    }

    private static void readOnlySession(Target target, String mode) throws Exception {
        Connection connection = target.open("readOnlyMode", mode);
        String table = Target.table(connection, "id int");
        connection.setReadOnly(true);
        for (int i = 0; i < 5; i++) {
            String expected = mode.equals("always") ? "25006" : "none";
            Suite.same(expected, Target.state(() -> Target.execute(connection, "INSERT INTO " + table + " VALUES (1)")));
        }
        connection.setReadOnly(false);
        Target.execute(connection, "INSERT INTO " + table + " VALUES (1)");
    }

    private static void byHand(Target target) throws Exception {
        Connection connection = target.open();
        String table = Target.table(connection, "id int");
        for (String end : new String[] {"COMMIT", "ROLLBACK", "END", "ABORT", "COMMIT AND CHAIN; COMMIT"}) {
            Target.execute(connection, "BEGIN");
            Target.value(connection, "INSERT INTO " + table + " VALUES (?) RETURNING id", 1);
            Target.execute(connection, end);
        }
        Suite.same("3", Target.value(connection, "SELECT count(*) FROM " + table));
    }

    private static void inOneText(Target target) throws Exception {
        Connection connection = target.open();
        String table = Target.table(connection, "id int PRIMARY KEY");
        String insert = "INSERT INTO " + table + " VALUES (1)";
        Target.execute(connection, "BEGIN; " + insert + "; COMMIT");
        Suite.same("23505", Target.state(() -> Target.execute(connection, "BEGIN; " + insert + "; COMMIT")));
        Target.execute(connection, "ROLLBACK");
        Suite.same("1", Target.value(connection, "SELECT count(*) FROM " + table));
    }

    private record Branch(byte[] getGlobalTransactionId, byte[] getBranchQualifier, int getFormatId) implements Xid {}

    private static void twoPhases(Target target) throws Exception {
        Connection connection = target.open();
        String table = Target.table(connection, "id int");
        PGXADataSource source = new PGXADataSource();
        source.setUrl(Target.url());
        source.setUser(Target.user());
        source.setPassword(Target.password());
        XAConnection one = source.getXAConnection();
        XAConnection two = source.getXAConnection();
        try {
            for (int i = 0; i < 3; i++) {
                Xid branch = new Branch(new byte[] {1, (byte) i}, new byte[] {2, (byte) i}, 7);
                XAResource resource = one.getXAResource();
                resource.start(branch, XAResource.TMNOFLAGS);
                Target.execute(one.getConnection(), "INSERT INTO " + table + " VALUES (" + i + ")");
                resource.end(branch, XAResource.TMSUCCESS);
                Suite.same(XAResource.XA_OK, resource.prepare(branch));
                Suite.same(1, two.getXAResource().recover(XAResource.TMSTARTRSCAN).length);
                if (i == 1) {
                    two.getXAResource().rollback(branch);
                } else {
                    two.getXAResource().commit(branch, false);
                }
            }
        } finally {
            one.close();
            two.close();
        }
        Suite.same("2", Target.value(connection, "SELECT count(*) FROM " + table));
    }

    private static void leftOpen(Target target) throws Exception {
        Connection connection = target.open();
        String table = Target.table(connection, "id int");
        for (int i = 0; i < 5; i++) {
            Connection left = target.inTransaction();
            Target.execute(left, "INSERT INTO " + table + " VALUES (1)");
            left.close();
        }
        Suite.same("0", Target.value(connection, "SELECT count(*) FROM " + table));
        Target.execute(connection, "SET lock_timeout = '5s'; DROP TABLE " + table);
    }

    private static void deferred(Target target) throws Exception {
        Connection connection = target.inTransaction();
        String table = Target.table(connection, "id int UNIQUE DEFERRABLE INITIALLY DEFERRED");
        connection.commit();
        for (int i = 0; i < 3; i++) {
            Target.execute(connection, "INSERT INTO " + table + " VALUES (1), (1)");
            Suite.same("23505", Target.state(connection::commit));
            Suite.same("0", Target.value(connection, "SELECT count(*) FROM " + table));
            connection.commit();
        }
    }

    private static void fields(Target target) throws Exception {
        Connection connection = target.open();
        String table = Target.table(connection, "id int CONSTRAINT positive_id CHECK (id > 0)");
        try {
            Target.execute(connection, "INSERT INTO " + table + " VALUES (-1)");
            throw new AssertionError("no error");
        } catch (PSQLException error) {
            ServerErrorMessage message = error.getServerErrorMessage();
            Suite.same("positive_id", message.getConstraint());
            Suite.same(table, message.getTable());
            Suite.same("public", message.getSchema());
            Suite.same("ERROR", message.getSeverity());
            Suite.holds(message.getDetail().contains("-1") && message.getRoutine() != null, message.toString());
        }
        try {
            Target.execute(connection, "SELECT 1 FORM x");
            throw new AssertionError("no error");
        } catch (PSQLException error) {
            Suite.same("42601", error.getSQLState());
            Suite.same(15, error.getServerErrorMessage().getPosition());
        }
    }

    private static void local(Target target) throws Exception {
        Connection connection = target.inTransaction();
        for (int i = 0; i < 4; i++) {
            Target.execute(connection, "SET LOCAL work_mem = '7MB'");
            Target.value(connection, "SELECT set_config('app.tenant', ?, true)", "acme");
            Suite.same("7MB", Target.value(connection, "SHOW work_mem"));
            Suite.same("acme", Target.value(connection, "SELECT current_setting('app.tenant')"));
            connection.commit();
            Suite.same("4MB", Target.value(connection, "SHOW work_mem"));
            Suite.same("", Target.value(connection, "SELECT coalesce(current_setting('app.tenant', true), '')"));
            connection.rollback();
        }
    }

    private static void temporary(Target target) throws Exception {
        Connection connection = target.inTransaction();
        for (int i = 0; i < 4; i++) {
            Target.execute(connection, "CREATE TEMP TABLE scratch (id int) ON COMMIT DROP");
            Target.execute(connection, "INSERT INTO scratch VALUES (1), (2)");
            Suite.same("2", Target.value(connection, "SELECT count(*) FROM scratch"));
            connection.commit();
        }
        connection.setAutoCommit(true);
        Target.execute(connection, "CREATE TEMP TABLE scratch (id int)");
        for (int i = 1; i < 10; i++) {
            Target.execute(connection, "INSERT INTO scratch VALUES (1)");
            Suite.same(String.valueOf(i), Target.value(connection, "SELECT count(*) FROM scratch"));
        }
    }

    private static void conservative(Target target) throws Exception {
        Connection connection = target.inTransaction("autosave", "conservative");
        String table = Target.table(connection, "id int");
        connection.commit();
        for (int i = 0; i < 3; i++) {
            Suite.same("0", Target.value(connection, "SELECT count(*) FROM " + table + " WHERE id = ?", 1));
            Target.execute(connection, "DISCARD PLANS");
            Suite.same("0", Target.value(connection, "SELECT count(*) FROM " + table + " WHERE id = ?", 1));
            connection.commit();
        }
    }

    private static void advisory(Target target) throws Exception {
        Connection one = target.inTransaction();
        Connection two = target.open();
        Target.value(one, "SELECT pg_advisory_xact_lock(?)", 4711L);
        Suite.same("f", Target.value(two, "SELECT pg_try_advisory_lock(?)", 4711L));
        one.commit();
        Suite.same("t", Target.value(two, "SELECT pg_try_advisory_lock(?)", 4711L));
        Suite.same("f", Target.value(one, "SELECT pg_try_advisory_xact_lock(?)", 4711L));
        one.commit();
        Suite.same("t", Target.value(two, "SELECT pg_advisory_unlock(?)", 4711L));
        Suite.same("t", Target.value(one, "SELECT pg_try_advisory_xact_lock(?)", 4711L));
        one.commit();
    }

    private static void rowLocks(Target target) throws Exception {
        Connection one = target.inTransaction();
        Connection two = target.open();
        String table = Target.table(one, "id int");
        Target.execute(one, "INSERT INTO " + table + " VALUES (1)");
        one.commit();
        Target.value(one, "SELECT id FROM " + table + " FOR UPDATE");
        Suite.same("55P03", Target.state(() -> Target.value(two, "SELECT id FROM " + table + " FOR UPDATE NOWAIT")));
        CompletableFuture<String> waiter = CompletableFuture.supplyAsync(() -> {
            try {
                return Target.value(two, "SELECT id FROM " + table + " FOR UPDATE");
            } catch (SQLException error) {
                return error.toString();
            }
        });
        Thread.sleep(100);
        Suite.holds(!waiter.isDone(), "the second waits");
        one.commit();
        Suite.same("1", waiter.get(10, TimeUnit.SECONDS));
    }
}
