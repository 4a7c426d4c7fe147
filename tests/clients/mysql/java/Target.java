// SPDX-License-Identifier: Apache-2.0
// Where a case connects, and with what: the suite's environment variables, and the properties of its way. Closes at the
// end of the case what the case opened.
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.Map;
import java.util.Properties;

final class Target extends Connections {
    static final boolean MARIADB = "mariadb".equals(System.getenv("CLIENT_SERVER"));
    private static int tables;

    final Map<String, String> properties;

    Target(Map<String, String> properties) {
        this.properties = properties;
    }

    boolean has(String property) {
        return "true".equals(properties.get(property));
    }

    @Override
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
        return keep(DriverManager.getConnection(url, all));
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

    // The server's number of the error that the body fails with.
    static int code(Body body) throws Exception {
        SQLException error = failure(body);
        return error == null ? 0 : error.getErrorCode();
    }
}
