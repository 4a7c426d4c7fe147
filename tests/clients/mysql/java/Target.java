// SPDX-License-Identifier: Apache-2.0
// Where a case connects, and with what: the suite's environment variables, and the properties of its way. Closes at the
// end of the case what the case opened.
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;

final class Target implements AutoCloseable {
    static final boolean MARIADB = "mariadb".equals(System.getenv("CLIENT_SERVER"));
    private static int tables;

    final Map<String, String> properties;
    private final List<Connection> opened = new ArrayList<>();

    Target(Map<String, String> properties) {
        this.properties = properties;
    }

    boolean has(String property) {
        return "true".equals(properties.get(property));
    }

    // words: names and values of further properties, by turns
    Connection open(String... words) throws SQLException {
        Properties all = new Properties();
        all.setProperty("user", System.getenv("CLIENT_USER"));
        all.setProperty("password", System.getenv("CLIENT_PASSWORD"));
        all.setProperty("allowPublicKeyRetrieval", "true");
        all.putAll(properties);
        for (int i = 0; i < words.length; i += 2) {
            all.setProperty(words[i], words[i + 1]);
        }
        String url = "jdbc:mariadb://" + System.getenv("CLIENT_HOST") + ":" + System.getenv("CLIENT_PORT") + "/"
                + System.getenv("CLIENT_DATABASE");
        Connection connection = DriverManager.getConnection(url, all);
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

    static final String PLAIN = "id int PRIMARY KEY AUTO_INCREMENT, v varchar(200)";

    // A new table of these columns; its name.
    static synchronized String table(Connection connection, String columns) throws SQLException {
        String name = "t" + ++tables;
        execute(connection, "DROP TABLE IF EXISTS " + name);
        execute(connection, "CREATE TABLE " + name + " (" + columns + ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4");
        return name;
    }

    // A table of 4096 numbers with something wide beside each.
    static String numbers(Connection connection) throws SQLException {
        String name = table(connection, "n int PRIMARY KEY, pad varchar(300)");
        execute(connection, "INSERT INTO " + name + " VALUES (0, repeat('x', 250))");
        for (int size = 1; size < 4096; size *= 2) {
            execute(connection, "INSERT INTO " + name + " SELECT n + " + size + ", pad FROM " + name);
        }
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

    // The server's number of the error that the body fails with.
    static int code(Body body) throws Exception {
        try {
            body.run();
        } catch (SQLException error) {
            return error.getErrorCode();
        }
        return 0;
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
