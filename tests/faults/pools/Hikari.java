// SPDX-License-Identifier: Apache-2.0
// HikariCP's pool through a restart: begins a transaction, says "ready", reads a line, goes on, and says how many of its
// connections it still has. Arguments: URL, user, password, connections.

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

public class Hikari {
    static int number(Connection connection) throws SQLException {
        return System.identityHashCode(connection.unwrap(Connection.class));
    }

    static void run(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.executeUpdate(sql);
        }
    }

    static Set<Integer> all(HikariDataSource pool, int count) throws SQLException {
        Set<Integer> numbers = new HashSet<>();
        List<Connection> held = new ArrayList<>();
        for (int i = 0; i < count; ++i) held.add(pool.getConnection());
        for (Connection connection : held) {
            numbers.add(number(connection));
            connection.close();
        }
        return numbers;
    }

    public static void main(String[] arguments) throws Exception {
        int count = Integer.parseInt(arguments[3]);
        HikariConfig config = new HikariConfig();
        config.setJdbcUrl(arguments[0]);
        config.setUsername(arguments[1]);
        config.setPassword(arguments[2]);
        config.setMaximumPoolSize(count);
        config.setMinimumIdle(count);
        config.setAutoCommit(false);
        config.setConnectionTimeout(30000);
        try (HikariDataSource pool = new HikariDataSource(config)) {
            Set<Integer> before = all(pool, count);
            try (Connection inside = pool.getConnection()) {
                run(inside, "INSERT INTO served (who) VALUES (1)");
                System.out.println("ready");
                System.in.read();
                try {
                    run(inside, "INSERT INTO served (who) VALUES (2)");
                    System.out.println("not told");
                } catch (SQLException error) {
                    System.out.println("told " + error.getSQLState());
                }
                inside.rollback();
                run(inside, "INSERT INTO served (who) VALUES (3)");
                inside.commit();
            }
            for (int i = 0; i < 8; ++i) {
                try (Connection connection = pool.getConnection()) {
                    run(connection, "INSERT INTO served (who) VALUES (" + (4 + i) + ")");
                    connection.commit();
                }
            }
            Set<Integer> after = all(pool, count);
            after.retainAll(before);
            System.out.println("kept " + after.size());
        }
    }
}
