// SPDX-License-Identifier: Apache-2.0
// SHOW POOLS at leasehold's console by JDBC, as applications and tools do it; prints the names of the pools.
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;

final class Console {
    private Console() { }

    public static void main(String[] urls) throws SQLException {
        for (String url : urls) {
            try (Connection connection = DriverManager.getConnection(url, System.getenv("CLIENT_USER"), System.getenv("CLIENT_PASSWORD"))) {
                try (Statement statement = connection.createStatement(); ResultSet rows = statement.executeQuery("SHOW POOLS")) {
                    print(rows);
                }
                try (PreparedStatement statement = connection.prepareStatement("SHOW POOLS"); ResultSet rows = statement.executeQuery()) {
                    print(rows);
                }
                connection.setAutoCommit(false);
                connection.rollback();
                System.out.println(connection.isValid(5) ? "valid" : "invalid");
            }
        }
    }

    private static void print(ResultSet rows) throws SQLException {
        while (rows.next()) {
            System.out.println(rows.getString("database") + " " + rows.getInt("size"));
        }
    }
}
