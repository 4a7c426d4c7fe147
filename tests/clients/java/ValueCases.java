// SPDX-License-Identifier: Apache-2.0
// Values of many types, there and back, in text and binary; and what the driver reads from the catalogue.
import java.math.BigDecimal;
import java.sql.Array;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.Date;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLXML;
import java.sql.Timestamp;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Calendar;
import java.util.List;
import java.util.TimeZone;
import java.util.UUID;
import org.postgresql.geometric.PGpoint;
import org.postgresql.util.PGInterval;
import org.postgresql.util.PGobject;

final class ValueCases {
    static void addTo(Suite suite) {
        suite.everyWay("numbers, texts and NULLs go there and back", ValueCases::plain);
        suite.everyWay("dates and times go there and back", ValueCases::times);
        suite.everyWay("arrays go there and back", ValueCases::arrays);
        suite.everyWay("UUID, json and other objects go there and back", ValueCases::objects);
        suite.add("a time stamp in another time zone", ValueCases::zones);
        suite.add("the session's time zone follows SET", ValueCases::sessionZone);
        suite.add("texts of every kind of character", ValueCases::characters);
        suite.add("columns and keys from the catalogue", ValueCases::catalogue);
        suite.add("types, functions and limits from the catalogue", ValueCases::limits);
        suite.add("composite types, enums and domains", ValueCases::ownTypes);
    }

    interface Setter {
        void set(PreparedStatement statement) throws Exception;
    }

    interface Getter {
        Object get(ResultSet rows) throws Exception;
    }

    // `SELECT ?::type` four times, so that it is run both before and after the driver turns to binary.
    private static void there(Connection connection, String type, Setter setter, Getter getter, Object expected) throws Exception {
        try (PreparedStatement select = connection.prepareStatement("SELECT ?::" + type)) {
            for (int i = 0; i < 4; i++) {
                setter.set(select);
                ResultSet rows = select.executeQuery();
                rows.next();
                Suite.same(expected, getter.get(rows));
            }
        }
    }

    private static void object(Connection connection, String type, Object value) throws Exception {
        there(connection, type, s -> s.setObject(1, value), r -> r.getObject(1, value.getClass()), value);
    }

    private static void plain(Target target) throws Exception {
        Connection connection = target.open();
        there(connection, "int2", s -> s.setShort(1, (short) -7), r -> r.getShort(1), (short) -7);
        object(connection, "int4", Integer.MIN_VALUE);
        object(connection, "int8", Long.MAX_VALUE);
        object(connection, "float8", 0.1 + 0.2);
        there(connection, "float4", s -> s.setFloat(1, 1.1f), r -> r.getFloat(1), 1.1f);
        there(connection, "float8", s -> s.setDouble(1, Double.NaN), r -> r.getDouble(1), Double.NaN);
        object(connection, "numeric", new BigDecimal("12345678901234567890.0123456789"));
        object(connection, "bool", true);
        object(connection, "text", "plain ' \" \\ text");
        object(connection, "varchar(3)", "abc");
        there(connection, "text", s -> s.setString(1, null), r -> r.getString(1), null);
        there(connection, "int", s -> s.setNull(1, java.sql.Types.INTEGER), r -> r.getObject(1), null);
        if (!target.simple()) {
            there(connection, "bytea", s -> s.setBytes(1, new byte[] {0, -1, 92}), r -> r.getBytes(1), new byte[] {0, -1, 92});
        }
    }

    private static void times(Target target) throws Exception {
        Connection connection = target.open();
        object(connection, "date", LocalDate.of(2024, 2, 29));
        object(connection, "time", LocalTime.of(23, 59, 59, 123_456_000));
        object(connection, "timestamp", LocalDateTime.of(1999, 12, 31, 23, 59, 59, 999_999_000));
        object(connection, "timestamptz", OffsetDateTime.of(2024, 7, 1, 12, 0, 0, 1000, ZoneOffset.UTC));
        object(connection, "date", LocalDate.of(-44, 3, 15));
        there(connection, "date", s -> s.setDate(1, Date.valueOf("2001-02-03")), r -> r.getDate(1), Date.valueOf("2001-02-03"));
        Timestamp instant = Timestamp.from(Instant.parse("2024-03-31T01:30:00.000001Z"));
        there(connection, "timestamptz", s -> s.setTimestamp(1, instant), r -> r.getTimestamp(1), instant);
        there(connection, "timestamptz", s -> s.setObject(1, "infinity", java.sql.Types.OTHER),
                r -> r.getObject(1, OffsetDateTime.class), OffsetDateTime.MAX);
        there(connection, "interval", s -> s.setObject(1, new PGInterval(1, 2, 3, 4, 5, 6.5)),
                r -> r.getObject(1), new PGInterval(1, 2, 3, 4, 5, 6.5));
    }

    private static void arrays(Target target) throws Exception {
        Connection connection = target.open();
        Array numbers = connection.createArrayOf("int4", new Integer[] {1, null, 3});
        there(connection, "int4[]", s -> s.setArray(1, numbers), r -> r.getArray(1).getArray(), new Integer[] {1, null, 3});
        Array texts = connection.createArrayOf("text", new String[] {"a,b", "\"q\"", "", "NULL", null});
        there(connection, "text[]", s -> s.setArray(1, texts), r -> r.getArray(1).getArray(),
                new String[] {"a,b", "\"q\"", "", "NULL", null});
        Array nested = connection.createArrayOf("int8", new Long[][] {{1L, 2L}, {3L, 4L}});
        there(connection, "int8[]", s -> s.setArray(1, nested), r -> r.getArray(1).getArray(), new Long[][] {{1L, 2L}, {3L, 4L}});
        there(connection, "float8[]", s -> s.setObject(1, new double[] {1.5, -2.5}), r -> r.getArray(1).getArray(), new Double[] {1.5, -2.5});
        try (PreparedStatement select = connection.prepareStatement("SELECT 2 = ANY (?)")) {
            select.setArray(1, connection.createArrayOf("int4", new Integer[] {1, 2}));
            ResultSet rows = select.executeQuery();
            rows.next();
            Suite.holds(rows.getBoolean(1), "one of them");
        }
    }

    private static PGobject made(String type, String value) throws Exception {
        PGobject object = new PGobject();
        object.setType(type);
        object.setValue(value);
        return object;
    }

    private static void objects(Target target) throws Exception {
        Connection connection = target.open();
        object(connection, "uuid", UUID.fromString("0f8fad5b-d9cb-469f-a165-70867728950e"));
        there(connection, "point", s -> s.setObject(1, new PGpoint(1.5, -2)), r -> r.getObject(1), new PGpoint(1.5, -2));
        String[][] values = {{"json", "{\"a\": [1, 2]}"}, {"jsonb", "{\"a\": null}"}, {"inet", "10.0.0.1/8"},
                {"int4range", "[1,10)"}, {"bit(4)", "1010"}, {"tsvector", "'a' 'b'"}, {"macaddr", "08:00:2b:01:02:03"}};
        for (String[] value : values) {
            String type = value[0].replaceAll("\\(.*", "");
            there(connection, value[0], s -> s.setObject(1, made(type, value[1])), r -> r.getString(1), value[1]);
        }
        SQLXML xml = connection.createSQLXML();
        xml.setString("<a>b</a>");
        try (PreparedStatement select = connection.prepareStatement("SELECT ?::xml")) {
            select.setSQLXML(1, xml);
            ResultSet rows = select.executeQuery();
            rows.next();
            Suite.same("<a>b</a>", rows.getSQLXML(1).getString());
        }
    }

    private static void zones(Target target) throws Exception {
        Connection connection = target.open();
        Calendar tokyo = Calendar.getInstance(TimeZone.getTimeZone("Asia/Tokyo"));
        Timestamp instant = Timestamp.from(Instant.parse("2024-05-06T07:08:09Z"));
        for (int i = 0; i < 4; i++) {
            try (PreparedStatement select =
                    connection.prepareStatement("SELECT ?::timestamptz AT TIME ZONE 'UTC', ?::timestamp::text")) {
                select.setTimestamp(1, instant, tokyo);
                select.setTimestamp(2, instant, tokyo);
                ResultSet rows = select.executeQuery();
                rows.next();
                Suite.same(LocalDateTime.of(2024, 5, 6, 7, 8, 9), rows.getObject(1, LocalDateTime.class));
                Suite.holds(rows.getString(2).startsWith("2024-05-06 16:08:09"), rows.getString(2));
            }
        }
    }

    private static void sessionZone(Target target) throws Exception {
        Connection tokyo = target.open();
        Connection lima = target.open();
        Target.execute(tokyo, "SET TIME ZONE 'Asia/Tokyo'");
        Target.execute(lima, "SET TIME ZONE 'America/Lima'");
        String sql = "SELECT to_char('2024-01-01 12:00+00'::timestamptz, 'HH24:MI') || ?";
        for (int i = 0; i < 10; i++) {
            Suite.same("21:00!", Target.value(tokyo, sql, "!"));
            Suite.same("07:00!", Target.value(lima, sql, "!"));
        }
    }

    private static void characters(Target target) throws Exception {
        Connection connection = target.open();
        String table = Target.table(connection, "body text");
        String[] texts = {"", " ", "äöüß", "日本語", "😀🎉", "e\u0301", "\u0001\u007f", "'; DROP TABLE x; --", "$1 ? ?? {fn}"};
        for (String text : texts) {
            try (PreparedStatement insert = connection.prepareStatement("INSERT INTO " + table + " VALUES (?)")) {
                insert.setString(1, text);
                insert.executeUpdate();
            }
            Suite.same(text, Target.value(connection, "SELECT body FROM " + table + " WHERE body = ?", text));
        }
        Suite.same("22021", Target.state(() -> Target.value(connection, "SELECT ?::text", "nul\u0000")));
        Suite.same("1", Target.value(connection, "SELECT 1"));
    }

    private static List<String> names(ResultSet rows, String column) throws Exception {
        List<String> names = new ArrayList<>();
        while (rows.next()) {
            names.add(rows.getString(column));
        }
        return names;
    }

    private static void catalogue(Target target) throws Exception {
        Connection connection = target.open();
        String parent = Target.table(connection, "id int PRIMARY KEY, body varchar(20) NOT NULL");
        String child = Target.table(connection, "id serial PRIMARY KEY, parent int REFERENCES " + parent);
        for (int i = 0; i < 2; i++) {
            DatabaseMetaData meta = connection.getMetaData();
            Suite.same(List.of(parent), names(meta.getTables(null, "public", parent, new String[] {"TABLE"}), "TABLE_NAME"));
            Suite.same(List.of("id", "body"), names(meta.getColumns(null, "public", parent, "%"), "COLUMN_NAME"));
            Suite.same(List.of("id"), names(meta.getPrimaryKeys(null, "public", child), "COLUMN_NAME"));
            Suite.same(List.of(parent), names(meta.getImportedKeys(null, "public", child), "PKTABLE_NAME"));
            Suite.same(List.of(child), names(meta.getExportedKeys(null, "public", parent), "FKTABLE_NAME"));
            Suite.same(1, names(meta.getIndexInfo(null, "public", child, true, false), "INDEX_NAME").size());
            Suite.holds(names(meta.getSchemas(), "TABLE_SCHEM").contains("public"), "public");
            Suite.holds(names(meta.getCatalogs(), "TABLE_CAT").contains(Target.database()), "the database");
        }
        Suite.same(Target.database(), connection.getCatalog());
    }

    private static void limits(Target target) throws Exception {
        Connection connection = target.open();
        DatabaseMetaData meta = connection.getMetaData();
        Suite.same("PostgreSQL", meta.getDatabaseProductName());
        Suite.same(15, meta.getDatabaseMajorVersion());
        Suite.same(Target.user(), meta.getUserName());
        Suite.same(63, meta.getMaxTableNameLength());
        Suite.same(Connection.TRANSACTION_READ_COMMITTED, meta.getDefaultTransactionIsolation());
        Suite.holds(names(meta.getTypeInfo(), "TYPE_NAME").contains("timestamptz"), "types");
        Suite.holds(names(meta.getFunctions(null, "pg_catalog", "lower"), "FUNCTION_NAME").size() > 0, "functions");
        Suite.holds(meta.getSQLKeywords().contains("ilike"), "keywords");
        Suite.holds(meta.getNumericFunctions().contains("abs"), "numeric functions");
    }

    private static void ownTypes(Target target) throws Exception {
        Connection connection = target.open();
        Target.execute(connection, "CREATE TYPE mood AS ENUM ('low', 'high'); CREATE DOMAIN small AS int CHECK (VALUE < 10);"
                + " CREATE TYPE pair AS (a int, b text)");
        Suite.same("high", Target.value(connection, "SELECT ?::mood", "high"));
        Suite.same("22P02", Target.state(() -> Target.value(connection, "SELECT ?::mood", "none")));
        Suite.same("23514", Target.state(() -> Target.value(connection, "SELECT ?::small", 11)));
        Suite.same("(1,x)", Target.value(connection, "SELECT row(?, 'x')::pair", 1));
        String table = Target.table(connection, "m mood, p pair");
        Target.execute(connection, "INSERT INTO " + table + " VALUES ('low', row(7, 'seven'))");
        Suite.same("seven", Target.value(connection, "SELECT (p).b FROM " + table + " WHERE m = ?::mood", "low"));
    }
}
