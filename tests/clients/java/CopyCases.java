// SPDX-License-Identifier: Apache-2.0
// Bulk data: COPY in both directions and given up in the middle, large objects, large values.
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.util.Arrays;
import java.util.Random;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyIn;
import org.postgresql.copy.CopyManager;
import org.postgresql.copy.CopyOut;
import org.postgresql.copy.PGCopyInputStream;
import org.postgresql.copy.PGCopyOutputStream;
import org.postgresql.largeobject.LargeObject;
import org.postgresql.largeobject.LargeObjectManager;

final class CopyCases {
    static void addTo(Suite suite) {
        suite.everyWay("COPY takes rows in and gives them out", CopyCases::roundTrip);
        suite.add("COPY of 20 MB in and out", CopyCases::large);
        suite.add("COPY in is cancelled in the middle", CopyCases::cancelledIn);
        suite.add("COPY out is cancelled in the middle", CopyCases::cancelledOut);
        suite.add("COPY in of a bad row fails alone", CopyCases::badRow);
        suite.add("COPY in a transaction is rolled back with it", CopyCases::inTransaction);
        suite.add("COPY through the driver's streams", CopyCases::streams);
        suite.add("COPY in binary format", CopyCases::binary);
        suite.add("COPY as an ordinary statement is refused by the driver, which goes on", CopyCases::ordinary);
        suite.add("a COPY is left by closing the connection", CopyCases::left);
        suite.add("large objects are written, read, cut and removed", CopyCases::largeObject);
        suite.add("a large object's stream of 3 MB", CopyCases::largeObjectStream);
        suite.everyWay("bytea of 1 MB", target -> bytea(target, 1));
        suite.add("bytea of 20 MB", target -> bytea(target, 20));
    }

    private static CopyManager copies(Connection connection) throws Exception {
        return connection.unwrap(PGConnection.class).getCopyAPI();
    }

    private static void roundTrip(Target target) throws Exception {
        Connection connection = target.open();
        String table = Target.table(connection, "id int, body text");
        for (int i = 0; i < 5; i++) {
            String rows = "1\tone\n2\t\\N\n3\tthr\\tee\n";
            Suite.same(3L, copies(connection).copyIn("COPY " + table + " FROM STDIN", new StringReader(rows)));
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            Suite.same(3L, copies(connection).copyOut("COPY " + table + " TO STDOUT", out));
            Suite.same(rows, out.toString(StandardCharsets.UTF_8));
            Suite.same("3", Target.value(connection, "WITH gone AS (DELETE FROM " + table
                    + " WHERE id > ? RETURNING 1) SELECT count(*) FROM gone", 0));
        }
    }

    private static void large(Target target) throws Exception {
        Connection connection = target.open();
        String table = Target.table(connection, "id int, body text");
        String body = "x".repeat(991);
        StringBuilder rows = new StringBuilder();
        for (int i = 0; i < 20_000; i++) {
            rows.append(100_000 + i).append('\t').append(body).append('\n');
        }
        byte[] bytes = rows.toString().getBytes(StandardCharsets.US_ASCII);
        Suite.same(20_000L, copies(connection).copyIn("COPY " + table + " FROM STDIN", new ByteArrayInputStream(bytes)));
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        copies(connection).copyOut("COPY (SELECT * FROM " + table + " ORDER BY id) TO STDOUT", out);
        Suite.holds(Arrays.equals(bytes, out.toByteArray()), "the same bytes");
    }

    private static void cancelledIn(Target target) throws Exception {
        Connection connection = target.open();
        String table = Target.table(connection, "body text");
        for (int i = 0; i < 3; i++) {
            CopyIn copy = copies(connection).copyIn("COPY " + table + " FROM STDIN");
            byte[] row = "half a row".getBytes(StandardCharsets.US_ASCII);
            copy.writeToCopy(row, 0, row.length);
            copy.flushCopy();
            copy.cancelCopy();
            Suite.holds(!copy.isActive(), "no longer active");
            Suite.same("0", Target.value(connection, "SELECT count(*) FROM " + table));
        }
    }

    private static void cancelledOut(Target target) throws Exception {
        Connection connection = target.open();
        for (int i = 0; i < 3; i++) {
            CopyOut copy = copies(connection).copyOut("COPY (SELECT generate_series(1, 10000000)) TO STDOUT");
            for (int row = 1; row <= 5; row++) {
                Suite.same(row + "\n", new String(copy.readFromCopy(), StandardCharsets.US_ASCII));
            }
            connection.unwrap(PGConnection.class).cancelQuery(); // cancelCopy() may leave the error to the next statement
            Suite.same("57014", Target.state(() -> {
                while (copy.readFromCopy() != null) {
                    continue;
                }
            }));
            Suite.same("1", Target.value(connection, "SELECT 1"));
        }
    }

    private static void badRow(Target target) throws Exception {
        Connection connection = target.open();
        String table = Target.table(connection, "id int");
        String rows = "1\n".repeat(50_000) + "not a number\n" + "2\n".repeat(300_000);
        for (int i = 0; i < 3; i++) {
            Suite.same("22P02", Target.state(() ->
                    copies(connection).copyIn("COPY " + table + " FROM STDIN", new StringReader(rows))));
            Suite.same("0", Target.value(connection, "SELECT count(*) FROM " + table));
        }
        Suite.same("42P01", Target.state(() ->
                copies(connection).copyIn("COPY nowhere FROM STDIN", new StringReader(rows))));
        Suite.same("1", Target.value(connection, "SELECT 1"));
    }

    private static void inTransaction(Target target) throws Exception {
        Connection connection = target.inTransaction();
        String table = Target.table(connection, "id int");
        connection.commit();
        for (int i = 0; i < 4; i++) {
            copies(connection).copyIn("COPY " + table + " FROM STDIN", new StringReader("1\n2\n"));
            Suite.same("2", Target.value(connection, "SELECT count(*) FROM " + table));
            connection.rollback();
        }
        Suite.same("0", Target.value(connection, "SELECT count(*) FROM " + table));
    }

    private static void streams(Target target) throws Exception {
        Connection connection = target.open();
        String table = Target.table(connection, "id int, body text");
        try (PGCopyOutputStream out =
                new PGCopyOutputStream(connection.unwrap(PGConnection.class), "COPY " + table + " FROM STDIN (FORMAT csv)")) {
            for (int i = 0; i < 1000; i++) {
                out.write((i + ",\"text, " + i + "\"\n").getBytes(StandardCharsets.US_ASCII));
            }
        }
        try (InputStream in = new PGCopyInputStream(connection.unwrap(PGConnection.class),
                "COPY (SELECT body FROM " + table + " ORDER BY id) TO STDOUT")) {
            String text = new String(in.readAllBytes(), StandardCharsets.US_ASCII);
            Suite.holds(text.startsWith("text, 0\ntext, 1\n") && text.endsWith("text, 999\n"), "all rows");
        }
    }

    private static void binary(Target target) throws Exception {
        Connection connection = target.open();
        String table = Target.table(connection, "id int8, body bytea");
        Target.execute(connection, "INSERT INTO " + table + " SELECT i, decode(md5(i::text), 'hex') FROM generate_series(1, 500) i");
        String copy = Target.table(connection, "LIKE " + table);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        copies(connection).copyOut("COPY " + table + " TO STDOUT (FORMAT binary)", out);
        copies(connection).copyIn("COPY " + copy + " FROM STDIN (FORMAT binary)", new ByteArrayInputStream(out.toByteArray()));
        Suite.same("0", Target.value(connection, "SELECT count(*) FROM (TABLE " + table + " EXCEPT TABLE " + copy + ") rest"));
    }

    private static void ordinary(Target target) throws Exception {
        Connection connection = target.open();
        String table = Target.table(connection, "id int");
        for (int i = 0; i < 3; i++) {
            Suite.holds(!Target.state(() -> Target.execute(connection, "COPY " + table + " FROM STDIN")).equals("none"), "an error");
            Suite.same("0", Target.value(connection, "SELECT count(*) FROM " + table));
        }
    }

    private static void left(Target target) throws Exception {
        Connection connection = target.open();
        String table = Target.table(connection, "id int");
        for (int i = 0; i < 4; i++) {
            Connection other = target.open();
            if (i % 2 == 0) {
                CopyIn copy = copies(other).copyIn("COPY " + table + " FROM STDIN");
                copy.writeToCopy(new byte[] {'1', '\n'}, 0, 2);
                copy.flushCopy();
            } else {
                copies(other).copyOut("COPY (SELECT generate_series(1, 10000000)) TO STDOUT").readFromCopy();
            }
            other.abort(Runnable::run);
        }
        Target.execute(connection, "SET lock_timeout = '10s'");
        Target.execute(connection, "ALTER TABLE " + table + " ADD COLUMN more int");
        Suite.same("0", Target.value(connection, "SELECT count(*) FROM " + table));
    }

    private static void largeObject(Target target) throws Exception {
        Connection connection = target.inTransaction();
        LargeObjectManager manager = connection.unwrap(PGConnection.class).getLargeObjectAPI();
        for (int i = 0; i < 3; i++) {
            long oid = manager.createLO(LargeObjectManager.READWRITE);
            LargeObject object = manager.open(oid, LargeObjectManager.READWRITE);
            object.write("hello large world".getBytes(StandardCharsets.US_ASCII));
            object.seek(6);
            Suite.same("large", new String(object.read(5), StandardCharsets.US_ASCII));
            Suite.same(11, object.tell());
            object.truncate(5);
            Suite.same(5, object.size());
            object.close();
            connection.commit();
            object = manager.open(oid, LargeObjectManager.READ);
            Suite.same("hello", new String(object.read(100), StandardCharsets.US_ASCII));
            object.close();
            manager.unlink(oid);
            connection.commit();
            Suite.same("42704", Target.state(() -> manager.open(oid, LargeObjectManager.READ)));
            connection.rollback();
        }
    }

    private static void largeObjectStream(Target target) throws Exception {
        Connection connection = target.inTransaction();
        byte[] bytes = new byte[3_000_000];
        new Random(7).nextBytes(bytes);
        String table = Target.table(connection, "body oid");
        try (PreparedStatement insert = connection.prepareStatement("INSERT INTO " + table + " VALUES (?)")) {
            insert.setBlob(1, new ByteArrayInputStream(bytes), bytes.length);
            insert.executeUpdate();
        }
        connection.commit();
        try (PreparedStatement select = connection.prepareStatement("SELECT body FROM " + table)) {
            ResultSet rows = select.executeQuery();
            rows.next();
            Suite.holds(Arrays.equals(bytes, rows.getBlob(1).getBytes(1, bytes.length)), "the same bytes");
        }
        connection.commit();
    }

    private static void bytea(Target target, int megabytes) throws Exception {
        if (target.simple()) {
            return; // the driver sends no bytes in simple queries
        }
        Connection connection = target.open();
        String table = Target.table(connection, "body bytea");
        byte[] bytes = new byte[megabytes * 1_000_000 + 13];
        new Random(megabytes).nextBytes(bytes);
        try (PreparedStatement insert = connection.prepareStatement("INSERT INTO " + table + " VALUES (?)")) {
            insert.setBytes(1, bytes);
            insert.executeUpdate();
            insert.setBinaryStream(1, new ByteArrayInputStream(bytes), bytes.length);
            insert.executeUpdate();
        }
        byte[] digest = MessageDigest.getInstance("MD5").digest(bytes);
        try (PreparedStatement select = connection.prepareStatement("SELECT body, md5(body) FROM " + table)) {
            for (int i = 0; i < 2; i++) {
                ResultSet rows = select.executeQuery();
                while (rows.next()) {
                    Suite.same(java.util.HexFormat.of().formatHex(digest), rows.getString(2));
                    Suite.holds(Arrays.equals(bytes, rows.getBytes(1)), "the same bytes");
                }
            }
        }
    }
}
