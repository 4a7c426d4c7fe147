// SPDX-License-Identifier: Apache-2.0
// Where a case connects, and with what: libpq's environment variables, and the properties of its way. Closes at the
// end of the case what the case opened.
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.Arrays;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicInteger;

final class Target extends Connections {
    private static final AtomicInteger tables = new AtomicInteger();

    final Map<String, String> properties;

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

    @Override
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

    // A new table of these columns; its name.
    static String table(Connection connection, String columns) throws SQLException {
        String name = "t" + tables.incrementAndGet();
        execute(connection, "CREATE TABLE " + name + " (" + columns + ")");
        return name;
    }

    // The SQLSTATE that the body fails with.
    static String state(Body body) throws Exception {
        SQLException error = failure(body);
        return error == null ? "none" : error.getSQLState();
    }
}
