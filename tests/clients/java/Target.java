// SPDX-License-Identifier: Apache-2.0
// Where a case connects, and with what: libpq's environment variables, and the properties of its way. Closes at the
// end of the case what the case opened.
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicInteger;

final class Target implements AutoCloseable {
    private static final AtomicInteger tables = new AtomicInteger();

    final Map<String, String> properties;
    private final List<Connection> opened = new ArrayList<>();

    Target(Map<String, String> properties) {
        this.properties = properties;
    }

    static String host() {
        return System.getenv("PGHOST");
    }

    static int port() {
        return Integer.parseInt(System.getenv("PGPORT"));
    }

    static String user() {
        return System.getenv("PGUSER");
    }

    static String password() {
        return System.getenv("PGPASSWORD");
    }

    static String database() {
        return System.getenv("PGDATABASE");
    }

    static String url() {
        return "jdbc:postgresql://" + host() + ":" + port() + "/" + database();
    }

    boolean simple() {
        return "simple".equals(properties.get("preferQueryMode"));
    }

    boolean binary() {
        return properties.containsKey("prepareThreshold");
    }

    boolean autosave() {
        return properties.containsKey("autosave");
    }

    // words: names and values of further properties, by turns
    Connection open(String... words) throws SQLException {
        return openAt(url(), words);
    }

    Connection openAt(String url, String... words) throws SQLException {
        Properties all = new Properties();
        all.setProperty("user", user());
        all.setProperty("password", password());
        all.setProperty("prepareThreshold", "1");
        if (System.getenv("PGSSLMODE") != null) {
            all.setProperty("sslmode", System.getenv("PGSSLMODE"));
            all.setProperty("sslrootcert", System.getenv("PGSSLROOTCERT"));
        }
        all.putAll(properties);
        for (int i = 0; i < words.length; i += 2) {
            all.setProperty(words[i], words[i + 1]);
        }
        return keep(DriverManager.getConnection(url, all));
    }

    // All settings in the first packet. Else the driver begins with SET extra_float_digits.
    Connection openPlain(String... words) throws SQLException {
        String[] more = Arrays.copyOf(words, words.length + 2);
        more[words.length] = "assumeMinServerVersion";
        more[words.length + 1] = "9.1";
        return open(more);
    }

    Connection keep(Connection connection) {
        synchronized (opened) {
            opened.add(connection);
        }
        return connection;
    }

    Connection inTransaction(String... words) throws SQLException {
        Connection connection = open(words);
        connection.setAutoCommit(false);
        return connection;
    }

    // A new table of these columns; its name.
    static String table(Connection connection, String columns) throws SQLException {
        String name = "t" + tables.incrementAndGet();
        execute(connection, "CREATE TABLE " + name + " (" + columns + ")");
        return name;
    }

    static void execute(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    // The first column of the first row, as text.
    static String value(Connection connection, String sql, Object... parameters) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            for (int i = 0; i < parameters.length; i++) {
                statement.setObject(i + 1, parameters[i]);
            }
            try (ResultSet rows = statement.executeQuery()) {
                return rows.next() ? rows.getString(1) : null;
            }
        }
    }

    interface Body {
        void run() throws Exception;
    }

    // The SQLSTATE that the body fails with.
    static String state(Body body) throws Exception {
        try {
            body.run();
        } catch (SQLException error) {
            return error.getSQLState();
        }
        return "none";
    }

    @Override
    public void close() {
        synchronized (opened) {
            for (Connection connection : opened) {
                try {
                    connection.close();
                } catch (SQLException error) {
                    // the case has said what it wanted to say
                }
            }
        }
    }
}
