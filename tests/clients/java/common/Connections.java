// SPDX-License-Identifier: Apache-2.0
// The connections of a case, closed at its end, and what cases do with them in any driver.
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;

abstract class Connections implements AutoCloseable {
    private final List<Connection> opened = new ArrayList<>();

    // words: names and values of further properties, by turns
    abstract Connection open(String... words) throws SQLException;

    Connection inTransaction(String... words) throws SQLException {
        Connection connection = open(words);
        connection.setAutoCommit(false);
        return connection;
    }

    Connection keep(Connection connection) {
        synchronized (opened) {
            opened.add(connection);
        }
        return connection;
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

    // What the body fails with; null: it does not.
    static SQLException failure(Body body) throws Exception {
        try {
            body.run();
        } catch (SQLException error) {
            return error;
        }
        return null;
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
