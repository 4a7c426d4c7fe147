// SPDX-License-Identifier: Apache-2.0
#include "config/url.hpp"

#include <gtest/gtest.h>

namespace leasehold::config {
namespace {

Url good(std::string_view text) {
    ParsedUrl parsed = parse_url(text);
    EXPECT_TRUE(parsed.url.has_value()) << text << ": "
                                        << (parsed.problems.empty() ? "" : parsed.problems.front().message);
    return parsed.url.value_or(Url{});
}

std::string bad(std::string_view text) {
    const ParsedUrl parsed = parse_url(text);
    EXPECT_FALSE(parsed.url.has_value()) << text;
    std::string out;
    for (const UrlProblem& problem : parsed.problems) {
        EXPECT_FALSE(problem.message.empty());
        out +=
            (out.empty() ? "" : "\n") + problem.message + (problem.suggestion.empty() ? "" : "; " + problem.suggestion);
    }
    return out;
}

TEST(UrlParse, TakesSqlalchemysUrlApart) {
    const Url url =
        good("postgresql+psycopg2://app:kx%25jj5%2Fg@db.internal:6543/orders?sslmode=disable&application_name=web");
    EXPECT_EQ(url.dialect, "postgresql");
    EXPECT_EQ(url.driver, "psycopg2");
    EXPECT_EQ(url.user, "app");
    EXPECT_EQ(url.password, "kx%jj5/g");
    EXPECT_EQ(url.hosts, (std::vector<HostPort>{{"db.internal", 6543}}));
    EXPECT_EQ(url.database, "orders");
    EXPECT_EQ(url.option("sslmode"), "disable");
    EXPECT_EQ(url.option("application_name"), "web");
    EXPECT_EQ(url.option("charset"), "");
}

TEST(UrlParse, KnowsItsDialectsAndTheirPorts) {
    EXPECT_EQ(good("postgres://a@h/d").dialect, "postgresql");
    EXPECT_EQ(good("postgres://a@h/d").hosts.front().port, 5432);
    EXPECT_EQ(good("mysql+pymysql://a@h/d").dialect, "mysql");
    EXPECT_EQ(good("mysql+pymysql://a@h/d").hosts.front().port, 3306);
    EXPECT_EQ(good("mariadb://a@h:/d").hosts.front().port, 3306);
    EXPECT_EQ(good("mariadb://a@h/d").family(), "mysql");
    EXPECT_EQ(good("postgresql+a_driver_nobody_knows://a@h/d").driver, "a_driver_nobody_knows");
    EXPECT_EQ(bad("postgresq://a@h/d"), "unknown dialect postgresq; did you mean postgresql?");
    EXPECT_EQ(bad("oracle://a@h/d"), "unknown dialect oracle; write postgresql, mysql or mariadb");
    EXPECT_EQ(bad("PostgreSQL://a@h/d"), "unknown dialect PostgreSQL; did you mean postgresql?");
    EXPECT_EQ(bad("mysql+://a@h/d"), "has no driver behind the +; write mysql://");
}

TEST(UrlParse, DecodesPercentPairsAndNothingElse) {
    EXPECT_EQ(good("postgresql://u+v:a+b%20c@h/d").user, "u+v");
    EXPECT_EQ(good("postgresql://u:a+b%20c@h/d").password, "a+b c");
    EXPECT_EQ(good("postgresql://u:100%@h/d").password, "100%");
    EXPECT_EQ(good("postgresql://u:%zz%4@h/d").password, "%zz%4");
    EXPECT_EQ(good("postgresql://u:%2541@h/d").password, "%41");
    EXPECT_EQ(good("postgresql://u:%c3%A4@h/d").password, "\xc3\xa4");
    EXPECT_EQ(good("postgresql://u@h/a%20b%2Fc/d").database, "a b/c/d");
    EXPECT_EQ(good("postgresql://u@h/d?application_name=a+b%2Bc").option("application_name"), "a b+c");
}

TEST(UrlParse, LetsAPasswordHoldColonsSlashesAndQuestionMarks) {
    EXPECT_EQ(good("postgresql://u:a:b/c?d=e@h/d").password, "a:b/c?d=e");
    EXPECT_EQ(good("postgresql://u:a:b/c?d=e@h/d").hosts.front().host, "h");
    EXPECT_EQ(good("postgresql://app@server:pw@h/d").user, "app@server");
}

TEST(UrlParse, TellsAnEmptyPasswordFromNone) {
    EXPECT_EQ(good("postgresql://u:@h/d").password, "");
    EXPECT_EQ(good("postgresql://u@h/d").password, std::nullopt);
    EXPECT_EQ(good("postgresql://h/d").user, "");
    EXPECT_EQ(bad("postgresql://:pw@h/d"),
              "has a password and no user; write dialect://user:password@host:port/database");
}

TEST(UrlParse, RefusesARawAtSignWithoutRepeatingThePassword) {
    for (const char* text : {"postgresql://u:geh@eim@h/d", "postgresql://u:geheim@@h", "postgresql://u:geh@eim?x=1@h",
                             "postgresql://u:p@h/d?application_name=a@geheim", "postgresql://u@h/geh@eim"}) {
        const std::string problem = bad(text);
        EXPECT_NE(problem.find("encode @ in the password as %40"), std::string::npos) << text << ": " << problem;
        EXPECT_EQ(problem.find("geh"), std::string::npos) << problem;
        EXPECT_EQ(problem.find("eim"), std::string::npos) << problem;
    }
    // SQLAlchemy takes "5432/d?application_name=x" for the password of "u@h" here.
    EXPECT_EQ(bad("postgresql://u@h:5432/d?application_name=x@y"),
              "has an @ in more than one place; encode every @ but the one in front of the host as %40");
}

TEST(UrlParse, RepeatsNothingThatCouldBeAPieceOfThePassword) {
    for (const char* text :
         {"postgresql://app:geheim", "postgresql:app:geheim@h", "postgresql://u:p@h:geheim/d",
          "postgresql://u:p@ge heim/d", "postgresql://u:p@h/d?geheim", "postgresql://u:p@h/d?gehe.im=1",
          "postgresql://u:p@h/d?sslmode=geheim", "postgresql://[geheim]/d", "postgresql://u:geheim\n@h/d",
          "postgresql://u:geheim%00@h/d"}) {
        EXPECT_EQ(bad(text).find("gehe"), std::string::npos) << bad(text);
    }
}

TEST(UrlParse, WantsPortsThatExist) {
    EXPECT_EQ(good("postgresql://h:1/d").hosts.front().port, 1);
    EXPECT_EQ(good("postgresql://h:65535/d").hosts.front().port, 65535);
    EXPECT_EQ(good("postgresql://u@h:/d").hosts.front().port, 5432);
    for (const char* text :
         {"postgresql://u@h:0/d", "postgresql://u@h:65536/d", "postgresql://u@h:-1/d", "postgresql://u@h:abc/d",
          "postgresql://u@h:99999999999999999999/d", "postgresql://u@h:5432x/d", "postgresql://u@h:+1/d"}) {
        EXPECT_EQ(bad(text), "the port is no number from 1 to 65535") << text;
    }
}

TEST(UrlParse, TakesIpv6InBrackets) {
    EXPECT_EQ(good("postgresql://u:p@[::1]:6000/d").hosts, (std::vector<HostPort>{{"::1", 6000}}));
    EXPECT_EQ(good("postgresql://[2001:db8::2]/d").hosts, (std::vector<HostPort>{{"2001:db8::2", 5432}}));
    EXPECT_EQ(good("postgresql://[fe80::1%eth0]/d").hosts.front().host, "fe80::1%eth0");
    EXPECT_EQ(good("postgresql://[::1]:1,[::2]:2/d").hosts, (std::vector<HostPort>{{"::1", 1}, {"::2", 2}}));
    EXPECT_EQ(bad("postgresql://u@[::1/d"), "a bracket of an IPv6 address is not closed; write [::1]:5432");
    EXPECT_EQ(bad("postgresql://u@[::1]5432/d"), "a bracket of an IPv6 address is not closed; write [::1]:5432");
    EXPECT_EQ(bad("postgresql://u@[db]/d"), "what stands in brackets is no IPv6 address");
    EXPECT_EQ(bad("postgresql://u@::1/d"),
              "a host has more than one colon; put an IPv6 address in brackets: [::1]:5432");
}

TEST(UrlParse, TakesSeveralHostsInEveryForm) {
    const std::vector<HostPort> two{{"h1", 1}, {"h2", 2}};
    EXPECT_EQ(good("postgresql://u:p@h1:1,h2:2/d").hosts, two);
    EXPECT_EQ(good("postgresql://u:p@/d?host=h1:1&host=h2:2").hosts, two);
    EXPECT_EQ(good("postgresql://u:p@/d?host=h1:1,h2:2").hosts, two);
    EXPECT_EQ(good("postgresql://u:p@/d?host=h1,h2&port=1,2").hosts, two);
    EXPECT_EQ(good("postgresql://u:p@h1,h2:2/d").hosts, (std::vector<HostPort>{{"h1", 5432}, {"h2", 2}}));
    EXPECT_EQ(good("mysql://u:p@h1:1,h2:2/d").hosts, two);
    EXPECT_EQ(bad("postgresql://u:p@/d?host=h1:1,h2&port=1,2"),
              "the query names ports in two ways; write host=h1:p1,h2:p2 or host=h1,h2&port=p1,p2");
    EXPECT_EQ(bad("postgresql://u:p@/d?host=h1,h2&port=1"), "the query names 2 hosts and 1 ports");
    EXPECT_EQ(bad("postgresql://u:p@h1,,h2/d"), "a host is empty");
    EXPECT_EQ(bad("postgresql://u:p@/d?host=h1,"), "a host is empty");
    EXPECT_EQ(bad("postgresql://u:p@h/d?port=5433"),
              "the query names a port and no host; write the port behind the host: host:port");
}

TEST(UrlParse, TakesUnixSocketsByTheQuery) {
    EXPECT_EQ(good("postgresql://u:p@/d?host=/run/postgresql").hosts,
              (std::vector<HostPort>{{"/run/postgresql", 5432}}));
    EXPECT_EQ(good("postgresql://u:p@:5433/d?host=/run/postgresql").hosts,
              (std::vector<HostPort>{{"/run/postgresql", 5433}}));
    EXPECT_EQ(good("postgresql://u:p@/d?host=%2Frun&port=5433").hosts, (std::vector<HostPort>{{"/run", 5433}}));
    EXPECT_TRUE(good("postgresql:///d?host=/run").hosts.front().unix_socket());
    EXPECT_EQ(
        bad("postgresql://u@%2Frun%2Fpostgresql/d"),
        "the host holds a character that no host's name has; a directory of unix sockets is named by ?host=/directory");
}

TEST(UrlParse, LetsTheQuerysHostWin) {
    EXPECT_EQ(good("postgresql://u:p@wrong:7/d?host=right").hosts, (std::vector<HostPort>{{"right", 7}}));
    EXPECT_EQ(good("postgresql://u:p@wrong/d?host=right:8").hosts, (std::vector<HostPort>{{"right", 8}}));
}

TEST(UrlParse, WantsAHost) {
    EXPECT_EQ(bad("postgresql:///d"), "names no host; write @localhost, or ?host=/directory for a unix socket");
    EXPECT_EQ(bad("postgresql://u:p@/d"), "names no host; write @localhost, or ?host=/directory for a unix socket");
    EXPECT_EQ(bad("postgresql://u:p@:5432/d"),
              "names no host; write @localhost, or ?host=/directory for a unix socket");
}

TEST(UrlParse, LeavesTheDatabaseToTheClientWhenItNamesNone) {
    EXPECT_EQ(good("postgresql://u@h").database, "");
    EXPECT_EQ(good("postgresql://u@h/").database, "");
    EXPECT_EQ(good("postgresql://u@h?application_name=x").database, "");
    EXPECT_EQ(good("postgresql://u@h?application_name=x").option("application_name"), "x");
    EXPECT_EQ(good("postgresql://u@h/d#x").database, "d#x");
}

TEST(UrlParse, KnowsTheQuerysKeysByDialect) {
    EXPECT_EQ(bad("postgresql://u@h/d?ssl_mode=require"), "ssl_mode is a key of mysql URLs; here it is sslmode");
    EXPECT_EQ(bad("postgresql://u@h/d?role=primary"), "role is a key of mysql URLs; here it is target_session_attrs");
    EXPECT_EQ(bad("mysql://u@h/d?target_session_attrs=primary"),
              "target_session_attrs is a key of postgresql URLs; here it is role");
    EXPECT_EQ(bad("postgresql://u@h/d?compress=zlib"), "compress is a key of mysql URLs");
    EXPECT_EQ(bad("mysql://u@h/d?ssl_mod=require"), "unknown key ssl_mod in the query; did you mean ssl_mode?");
    EXPECT_EQ(bad("postgresql://u@h/d?aplication_name=x"),
              "unknown key aplication_name in the query; did you mean application_name?");
    EXPECT_EQ(bad("postgresql://u@h/d?frobnicate=1"), "unknown key frobnicate in the query");
    EXPECT_EQ(good("mysql://u@h/d?ssl-mode=required").option("ssl_mode"), "required");
    EXPECT_EQ(good("mysql://u@h/d?role=primary&charset=utf8mb4").option("charset"), "utf8mb4");
    EXPECT_EQ(bad("mysql://u@h/d?ssl-mode=DISABLED&ssl_mode=DISABLED"), "ssl_mode stands twice in the query");
    EXPECT_EQ(bad("postgresql://u@h/d?target_session_attrs=reed-write"),
              "target_session_attrs is one of any, read-write, read-only, primary, standby, prefer-standby; did you "
              "mean read-write?");
    EXPECT_EQ(bad("postgresql://u@h/d?connect_timeout=soon"),
              "connect_timeout is a whole number of seconds from 0 to 3600");
}

TEST(UrlParse, RefusesBlankAndRepeatedKeys) {
    EXPECT_EQ(bad("postgresql://u@h/d?application_name="),
              "application_name has no value in the query; remove it, or give it one");
    EXPECT_EQ(bad("postgresql://u@h/d?application_name"),
              "application_name has no value in the query; remove it, or give it one");
    EXPECT_EQ(bad("postgresql://u@h/d?word"), "the query holds something that is no key=value")
        << "it may be a piece of a password";
    EXPECT_EQ(bad("postgresql://u@h/d?application_name=a&application_name=b"),
              "application_name stands twice in the query");
    EXPECT_EQ(bad("postgresql://u@h/d?application_name=a&"), "the query holds something that is no key=value");
}

TEST(UrlParse, ReportsAllProblemsAtOnce) {
    EXPECT_EQ(bad("postgrsql://u@h:0/d?sslmod=require&options="),
              "unknown dialect postgrsql; did you mean postgresql?\n"
              "unknown key sslmod in the query; did you mean sslmode?\n"
              "options has no value in the query; remove it, or give it one\n"
              "the port is no number from 1 to 65535");
}

TEST(UrlParse, RefusesWhatIsNoUrl) {
    for (const char* text :
         {"", "x", "://", "postgresql:", "postgresql:/u@h", "postgre-sql://h", " postgresql://h", "host=db user=app"}) {
        EXPECT_EQ(bad(text), "is no URL; write dialect://user:password@host:port/database") << text;
    }
    EXPECT_EQ(bad("postgresql://u:p\t@h"), "holds a control character; encode it as %XX");
    EXPECT_EQ(bad("postgresql://u@h/a%00b"), "the database holds %00, which no database accepts");
}

TEST(UrlParse, SurvivesEveryPrefixAndEveryByte) {
    const std::string whole =
        "postgresql+d://us%40r:p%2Fw@h1:5432,[::1]:5433/d%20b?sslmode=disable&host=/run,h2&port=1,2";
    for (std::size_t length = 0; length <= whole.size(); ++length) {
        const ParsedUrl parsed = parse_url(whole.substr(0, length));
        EXPECT_NE(parsed.url.has_value(), !parsed.problems.empty()) << length;
    }
    for (std::size_t at = 0; at < whole.size(); ++at) {
        for (int byte = 0; byte < 256; ++byte) {
            std::string changed = whole;
            changed[at] = static_cast<char>(byte);
            const ParsedUrl parsed = parse_url(changed);
            ASSERT_NE(parsed.url.has_value(), !parsed.problems.empty()) << changed;
        }
    }
    const ParsedUrl long_one =
        parse_url("postgresql://u:" + std::string(1'000'000, 'x') + "@" + std::string(1'000'000, ','));
    EXPECT_FALSE(long_one.url.has_value());
}

TEST(UrlRender, HidesThePasswordUnlessAskedNotTo) {
    const Url url = good("postgresql+psycopg2://app:kx%25jj5%2Fg@db.internal:5432/orders?sslmode=disable");
    EXPECT_EQ(url.render(), "postgresql+psycopg2://app:***@db.internal:5432/orders?sslmode=disable");
    EXPECT_EQ(url.render(false), "postgresql+psycopg2://app:kx%25jj5%2Fg@db.internal:5432/orders?sslmode=disable");
    EXPECT_EQ(good("postgresql://app:@h/d").render(), "postgresql://app:***@h:5432/d") << "an empty one is hidden too";
    EXPECT_EQ(good("postgresql://app@h/d").render(), "postgresql://app@h:5432/d");
}

TEST(UrlRender, IsReadBackAsTheSameUrl) {
    for (const char* text :
         {"postgresql://h", "postgres://u%40x:p%40%3A%2F@h1:1,h2:2/a%20b/c?application_name=a%2Bb+c&sslmode=prefer",
          "mysql+pymysql://u:@[::1]:3307/d?ssl-mode=REQUIRED&charset=utf8mb4", "mariadb://u:%25%25@h/",
          "postgresql://u:p@:5433/d?host=/run/postgresql", "postgresql:///d?host=/run,[::1],h&port=1,2,3",
          "postgresql://u:%C3%A4%20%22@h/%3F%23?options=-c%20search_path%3Da"}) {
        const Url url = good(text);
        EXPECT_EQ(good(url.render(false)), url) << url.render(false);
    }
}

TEST(UrlRender, SortsTheQuery) {
    EXPECT_EQ(good("postgresql://h/d?sslmode=prefer&application_name=z").render(),
              "postgresql://h:5432/d?application_name=z&sslmode=prefer");
}

TEST(UrlTls, ReadsBothDialectsWords) {
    EXPECT_EQ(good("postgresql://h/d").tls_mode(), std::nullopt);
    EXPECT_EQ(good("postgresql://h/d?sslmode=verify-full&sslrootcert=/ca").tls_mode(), TlsMode::verify_full);
    EXPECT_EQ(good("mysql://h/d?ssl-mode=VERIFY_IDENTITY&ssl_ca=/ca").tls_mode(), TlsMode::verify_full);
    EXPECT_EQ(good("mysql://h/d?ssl_mode=preferred").tls_mode(), TlsMode::prefer);
    EXPECT_EQ(good("mysql://h/d?ssl_mode=DISABLED").tls_mode(), TlsMode::disable);
    EXPECT_EQ(to_string(TlsMode::verify_ca), "verify-ca");
}

TEST(UrlTls, DialsServersAsLibpqDoes) {
    EXPECT_EQ(good("postgresql://h/d").server_tls(), TlsMode::prefer);
    EXPECT_EQ(good("postgresql://h/d?sslmode=disable").server_tls(), TlsMode::disable);
    EXPECT_EQ(good("postgresql://h/d?sslrootcert=/ca.crt").server_tls(), TlsMode::prefer);
    EXPECT_EQ(good("postgresql://h/d?sslrootcert=system").server_tls(), TlsMode::verify_full);
}

TEST(UrlTls, DialsServersAsMysqlsClientsDo) {
    EXPECT_EQ(good("mysql://h/d").tls_mode(), std::nullopt);
    EXPECT_EQ(good("mariadb://h/d").server_tls(), TlsMode::prefer);
    EXPECT_EQ(good("mysql://h/d?ssl_ca=/ca.pem").server_tls(), TlsMode::verify_ca)
        << "whoever names one wants it asked";
    EXPECT_EQ(good("mysql://h/d?ssl_capath=/certs").server_tls(), TlsMode::verify_ca);
    EXPECT_EQ(good("mysql://h/d?ssl_mode=REQUIRED&ssl_ca=/ca.pem").server_tls(), TlsMode::require);
    EXPECT_EQ(good("mysql://h/d?ssl_cert=/c&ssl_key=/k").server_tls(), TlsMode::require);
    EXPECT_EQ(good("mysql://h/d?ssl_ca=system").server_tls(), TlsMode::verify_full);
}

TEST(UrlTls, ReadsWhatMysqlsDriversSay) {
    for (const char* key : {"sslMode", "sslmode", "SSLMODE", "ssl-mode", "ssl_mode"}) {
        const std::string url = "mysql://h/d?" + std::string(key) + "=";
        EXPECT_EQ(good(url + "Required").tls_mode(), TlsMode::require) << key;
        EXPECT_EQ(good(url + "verify_identity&ssl_ca=/ca").tls_mode(), TlsMode::verify_full) << key;
        EXPECT_EQ(good(url + "trust").tls_mode(), TlsMode::require) << key;
        EXPECT_EQ(good(url + "verify-ca&ssl_ca=/ca").tls_mode(), TlsMode::verify_ca) << key;
    }
    EXPECT_EQ(good("mysql://h/d?ssl_disabled=true").tls_mode(), TlsMode::disable);
    EXPECT_EQ(good("mysql://h/d?ssl=0").tls_mode(), TlsMode::disable);
    EXPECT_EQ(good("mysql://h/d?ssl=true").tls_mode(), TlsMode::require);
    EXPECT_EQ(good("mysql://h/d?ssl_verify_cert=1&ssl_ca=/ca").tls_mode(), TlsMode::verify_ca);
    EXPECT_EQ(good("mysql://h/d?ssl_check_hostname=True&ssl_ca=/ca").tls_mode(), TlsMode::verify_full);
    EXPECT_EQ(good("mysql://h/d?ssl-verify-identity=yes&ssl-ca=/ca").tls_mode(), TlsMode::verify_full);
    EXPECT_EQ(bad("mysql://h/d?ssl_mode=always"),
              "ssl_mode is one of DISABLED, PREFERRED, REQUIRED, VERIFY_CA, VERIFY_IDENTITY");
    EXPECT_EQ(bad("mysql://h/d?ssl=perhaps"), "ssl is true or false");
    EXPECT_EQ(bad("mysql://h/d?sslMode=REQUIRED&ssl_mode=REQUIRED"), "ssl_mode stands twice in the query");
}

TEST(UrlTls, NamesItsFiles) {
    const TlsFiles mysql = good("mysql://h/d?ssl_ca=/a&ssl_capath=/b&ssl_crl=/c&ssl_cert=/d&ssl_key=/e").tls_files();
    EXPECT_EQ(mysql.ca + mysql.ca_folder + mysql.crl + mysql.cert + mysql.key, "/a/b/c/d/e");
    const TlsFiles postgresql = good("postgresql://h/d?sslrootcert=/a&sslcert=/d&sslkey=/e").tls_files();
    EXPECT_EQ(postgresql.ca + postgresql.cert + postgresql.key, "/a/d/e");
    EXPECT_FALSE(good("mysql://h/d").tls_files().any());
    EXPECT_EQ(mysql_word(TlsMode::verify_full), "VERIFY_IDENTITY");
}

TEST(UrlTls, MysqlsWordsMustFitTogether) {
    EXPECT_EQ(bad("mysql://h/d?ssl_mode=VERIFY_CA"),
              "ssl_mode=VERIFY_CA needs ssl_ca, a file with the CA to ask; write ssl_ca=/path, ssl_capath=/folder, or "
              "ssl_ca=system for the system's own CAs");
    EXPECT_EQ(good("mysql:///d?unix_socket=/run/s&ssl_mode=VERIFY_CA").server_tls(), TlsMode::verify_ca)
        << "a unix socket is not encrypted, whatever is said";
    EXPECT_NE(bad("mysql://h/d?ssl_mode=VERIFY_CA&ssl_ca=system"), "");
    EXPECT_NE(bad("mysql://h/d?ssl_cert=/c"), "");
    EXPECT_EQ(bad("mysql://h/d?ssl_crl=/c"),
              "ssl_crl has no effect with ssl_mode=PREFERRED; write ssl_mode=VERIFY_CA or VERIFY_IDENTITY");
    EXPECT_EQ(bad("mysql://h/d?ssl_mode=REQUIRED&ssl_verify_cert=true&ssl_ca=/ca"),
              "ssl_verify_cert contradicts ssl_mode=REQUIRED; say it once, by ssl_mode");
    EXPECT_NE(bad("mysql://h/d?ssl_mode=REQUIRED&ssl_disabled=true"), "");
    EXPECT_EQ(bad("mysql://h/d?ssl_capath=certs"), "ssl_capath is a path, and begins with /");
}

TEST(UrlSocket, OfMysqlHasAKeyOfItsOwn) {
    const Url url = good("mysql://u:p@localhost/d?unix_socket=/run/mysqld/mysqld.sock");
    ASSERT_EQ(url.hosts.size(), 1u);
    EXPECT_EQ(url.hosts.front().host, "/run/mysqld/mysqld.sock");
    EXPECT_FALSE(url.over_network());
    EXPECT_EQ(good(url.render(false)), url);
    EXPECT_EQ(good("mysql:///d?unix_socket=/s").hosts.front().host, "/s");
    EXPECT_EQ(bad("mysql://h/d?unix_socket=s"), "unix_socket is a path, and begins with /");
    EXPECT_EQ(bad("mysql://h/d?unix_socket=/s&host=/t"), "the query names a host and a unix_socket; write one of them");
    EXPECT_NE(bad("postgresql://h/d?unix_socket=/s"), "");
}

TEST(UrlTls, AVerificationNeedsSomebodyToVouch) {
    EXPECT_EQ(bad("postgresql://h/d?sslmode=verify-full"),
              "sslmode=verify-full needs sslrootcert, a file with the CA to ask; write sslrootcert=/path, or "
              "sslrootcert=system for the system's own CAs");
    EXPECT_NE(bad("postgresql://h/d?sslmode=verify-ca"), "");
    EXPECT_EQ(good("postgresql://h/d?sslmode=verify-ca&sslrootcert=/ca.crt").server_tls(), TlsMode::verify_ca);
    EXPECT_EQ(good("postgresql:///d?host=/run&sslmode=verify-full").server_tls(), TlsMode::verify_full)
        << "a unix socket is not encrypted, whatever is said";
    EXPECT_EQ(bad("postgresql://h/d?sslmode=verify-ca&sslrootcert=system"),
              "sslrootcert=system proves nothing with sslmode=verify-ca; the system's CAs sign for everybody: write "
              "sslmode=verify-full");
    EXPECT_NE(bad("postgresql://h/d?sslmode=require&sslrootcert=system"), "");
}

TEST(UrlTls, WhatCouldNotBeKeptIsNotPromised) {
    EXPECT_EQ(
        bad("postgresql://h/d?sslnegotiation=direct"),
        "sslnegotiation=direct begins with TLS, and sslmode=prefer may have none; write sslmode=require, verify-ca "
        "or verify-full");
    EXPECT_NE(bad("postgresql://h/d?sslnegotiation=direct&sslmode=allow"), "");
    EXPECT_NO_THROW((void)good("postgresql://h/d?sslnegotiation=direct&sslmode=require"));
    EXPECT_EQ(bad("postgresql://h/d?channel_binding=require&sslmode=disable"),
              "channel_binding=require needs TLS, and sslmode=disable has none");
    EXPECT_EQ(bad("postgresql:///d?host=/run&channel_binding=require"),
              "channel_binding=require needs TLS, and a unix socket has none");
    EXPECT_EQ(bad("postgresql://h/d?sslcert=/c"), "sslcert and sslkey belong together, and one of them is missing");
    EXPECT_EQ(bad("postgresql://h/d?sslkey=/k"), "sslcert and sslkey belong together, and one of them is missing");
}

}  // namespace
}  // namespace leasehold::config
