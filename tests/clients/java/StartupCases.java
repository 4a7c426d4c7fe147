// SPDX-License-Identifier: Apache-2.0
// What a connection may ask for when it begins, and the driver's options that change how it talks.
import java.sql.Connection;
import java.sql.SQLException;
import org.postgresql.PGConnection;

final class StartupCases {
    static void addTo(Suite suite) {
        suite.add("options set what they name", StartupCases::options);
        suite.add("RESET goes back to the options", StartupCases::reset);
        suite.add("options of two connections are kept apart", StartupCases::twoOptions);
        suite.add("an option the server refuses is its FATAL", StartupCases::refusedOption);
        suite.add("currentSchema is the search path", StartupCases::currentSchema);
        suite.add("the connection's time zone is the client's", StartupCases::timeZone);
        suite.add("time-outs of login, connect and socket", StartupCases::timeouts);
        suite.add("assumeMinServerVersion sends everything in the first packet", StartupCases::assumed);
        suite.add("readOnly from the beginning", StartupCases::readOnly);
        suite.add("a connection string of several hosts", StartupCases::hosts);
        suite.add("targetServerType primary and any", StartupCases::targetServerType);
        suite.add("sslmode prefer and gssEncMode prefer fall back", StartupCases::fallBack);
        suite.add("the server's version and encoding are told", StartupCases::told);
        suite.add("queries that ask who they are", StartupCases::whoAmI);
        suite.add("preparedStatementCacheQueries of 0", StartupCases::noCache);
    }

    private static void repeated(Connection connection, String setting, String expected) throws SQLException {
        for (int i = 0; i < 4; i++) {
            Suite.same(expected, Target.value(connection, "SHOW " + setting));
        }
    }

    private static void options(Target target) throws Exception {
        Connection connection = target.open("options", "-c statement_timeout=5min -c work_mem=5MB --lock_timeout=7s");
        repeated(connection, "statement_timeout", "5min");
        repeated(connection, "work_mem", "5MB");
        repeated(connection, "lock_timeout", "7s");
    }

    private static void reset(Target target) throws Exception {
        Connection connection = target.open("options", "-c work_mem=5MB");
        Target.execute(connection, "SET work_mem = '9MB'");
        Target.execute(connection, "RESET work_mem");
        repeated(connection, "work_mem", "5MB");
    }

    private static void twoOptions(Target target) throws Exception {
        Connection one = target.open("options", "-c work_mem=5MB -c search_path=one");
        Connection two = target.open("options", "-c work_mem=6MB");
        for (int i = 0; i < 5; i++) {
            Suite.same("5MB", Target.value(one, "SHOW work_mem"));
            Suite.same("one", Target.value(one, "SHOW search_path"));
            Suite.same("6MB", Target.value(two, "SHOW work_mem"));
            Suite.same("\"$user\", public", Target.value(two, "SHOW search_path"));
        }
    }

    private static void refusedOption(Target target) throws Exception {
        Suite.same("22023", Target.state(() -> target.open("options", "-c work_mem=lots")));
        Suite.same("42704", Target.state(() -> target.open("options", "-c no_such_setting=1")));
        Suite.same("55P02", Target.state(() -> target.open("options", "-c max_connections=7")));
    }

    private static void currentSchema(Target target) throws Exception {
        Connection connection = target.open();
        Target.execute(connection, "DROP SCHEMA IF EXISTS apart CASCADE; CREATE SCHEMA apart; CREATE TABLE apart.only_here (id int)");
        Connection inside = target.open("currentSchema", "apart,public");
        for (int i = 0; i < 4; i++) {
            Suite.same("apart", inside.getSchema());
            Suite.same("0", Target.value(inside, "SELECT count(*) FROM only_here"));
            Suite.same("42P01", Target.state(() -> Target.value(connection, "SELECT count(*) FROM only_here")));
        }
    }

    private static void timeZone(Target target) throws Exception {
        java.util.TimeZone before = java.util.TimeZone.getDefault();
        try {
            java.util.TimeZone.setDefault(java.util.TimeZone.getTimeZone("Asia/Kolkata"));
            Connection connection = target.open();
            repeated(connection, "TimeZone", "Asia/Kolkata");
        } finally {
            java.util.TimeZone.setDefault(before);
        }
    }

    private static void timeouts(Target target) throws Exception {
        Connection connection = target.open("loginTimeout", "10", "connectTimeout", "10", "socketTimeout", "5",
                "tcpKeepAlive", "true", "cancelSignalTimeout", "5");
        for (int i = 0; i < 5; i++) {
            Suite.same("1", Target.value(connection, "SELECT 1"));
        }
    }

    private static void assumed(Target target) throws Exception {
        Connection connection = target.open("assumeMinServerVersion", "12", "ApplicationName", "assumed");
        repeated(connection, "application_name", "assumed");
        repeated(connection, "extra_float_digits", "3");
        Suite.same("0.1", Target.value(connection, "SELECT 0.1::float8"));
    }

    private static void readOnly(Target target) throws Exception {
        Connection connection = target.inTransaction("readOnly", "true");
        for (int i = 0; i < 3; i++) {
            Suite.same("25006", Target.state(() -> Target.execute(connection, "CREATE TABLE refused (id int)")));
            connection.rollback();
        }
    }

    private static void hosts(Target target) throws Exception {
        String url = "jdbc:postgresql://" + Target.host() + ":1," + Target.host() + ":" + Target.port() + "/" + Target.database();
        Connection connection = target.keep(
                java.sql.DriverManager.getConnection(url + "?connectTimeout=5", Target.user(), Target.password()));
        Suite.same("1", Target.value(connection, "SELECT 1"));
    }

    private static void targetServerType(Target target) throws Exception {
        for (String type : new String[] {"any", "primary", "preferSecondary"}) {
            Connection connection = target.openPlain("targetServerType", type);
            Suite.same("f", Target.value(connection, "SELECT pg_is_in_recovery()"));
        }
        Suite.same("08001", Target.state(() -> target.open("targetServerType", "secondary")));
    }

    private static void fallBack(Target target) throws Exception {
        for (String gss : new String[] {"disable", "prefer", "allow"}) {
            for (String ssl : new String[] {"disable", "prefer", "allow"}) {
                Suite.same("1", Target.value(target.openPlain("gssEncMode", gss, "sslmode", ssl), "SELECT 1"));
            }
        }
    }

    private static void told(Target target) throws Exception {
        PGConnection connection = target.open().unwrap(PGConnection.class);
        Suite.same("UTF8", connection.getParameterStatus("client_encoding"));
        Suite.same("UTF8", connection.getParameterStatus("server_encoding"));
        Suite.same("on", connection.getParameterStatus("integer_datetimes"));
        Suite.same("on", connection.getParameterStatus("standard_conforming_strings"));
        Suite.same("off", connection.getParameterStatus("is_superuser"));
        Suite.same(Target.user(), connection.getParameterStatus("session_authorization"));
        Suite.holds(connection.getParameterStatus("server_version").startsWith("15."), "15");
    }

    private static void whoAmI(Target target) throws Exception {
        Connection connection = target.open();
        for (int i = 0; i < 3; i++) {
            Suite.same(Target.user(), Target.value(connection, "SELECT session_user"));
            Suite.same(Target.database(), Target.value(connection, "SELECT current_database()"));
            Suite.same("1", Target.value(connection, "SELECT count(*) FROM pg_stat_activity WHERE pid = pg_backend_pid()"));
        }
    }

    private static void noCache(Target target) throws Exception {
        Connection connection = target.open("preparedStatementCacheQueries", "0");
        for (int i = 0; i < 20; i++) {
            Suite.same(String.valueOf(i), Target.value(connection, "SELECT ?::int", i));
        }
    }
}
