// SPDX-License-Identifier: Apache-2.0
// The lexer's part that tells stored functions from the servers' own: what a stored function leaves in its session is not
// always reported, so that who calls one leaves a backend that has to be reset.
#include "dialects/mysql/statements.hpp"

#include <algorithm>
#include <array>

namespace leasehold::mysql {
namespace {

// Sorted. What may stand in front of a parenthesis without being a stored function: functions and reserved words. A stored
// function of such a name is called with its database in front. clang-format off keeps the lists short.
// clang-format off
// Of both families.
constexpr std::array<std::string_view, 393> native{
    "ABS", "ACOS", "ADD", "ADDDATE", "ADDTIME", "AES_DECRYPT", "AES_ENCRYPT", "ALL", "AND", "ANY", "AS", "ASCII",
    "ASIN", "ATAN", "ATAN2", "AVG", "BENCHMARK", "BETWEEN", "BIGINT", "BIN", "BINARY", "BIT_AND", "BIT_COUNT",
    "BIT_LENGTH", "BIT_OR", "BIT_XOR", "BY", "CASE", "CAST", "CEIL", "CEILING", "CHAR", "CHARACTER",
    "CHARACTER_LENGTH", "CHARSET", "CHAR_LENGTH", "CHECK", "COALESCE", "COERCIBILITY", "COLLATE", "COLLATION",
    "COMPRESS", "CONCAT", "CONCAT_WS", "CONNECTION_ID", "CONV", "CONVERT", "CONVERT_TZ", "COS", "COT", "COUNT",
    "CRC32", "CROSS", "CUME_DIST", "CURDATE", "CURRENT_DATE", "CURRENT_ROLE", "CURRENT_TIME", "CURRENT_TIMESTAMP",
    "CURRENT_USER", "CURTIME", "DATABASE", "DATE", "DATEDIFF", "DATE_ADD", "DATE_FORMAT", "DATE_SUB", "DAY",
    "DAYNAME", "DAYOFMONTH", "DAYOFWEEK", "DAYOFYEAR", "DEC", "DECIMAL", "DEFAULT", "DEGREES", "DENSE_RANK",
    "DISTINCT", "DIV", "DOUBLE", "ELSE", "ELT", "ENUM", "EXCEPT", "EXISTS", "EXP", "EXPORT_SET", "EXTRACT",
    "EXTRACTVALUE", "FIELD", "FIND_IN_SET", "FIRST_VALUE", "FLOAT", "FLOOR", "FORCE", "FOREIGN", "FORMAT",
    "FOUND_ROWS", "FROM", "FROM_BASE64", "FROM_DAYS", "FROM_UNIXTIME", "FULLTEXT", "GEOMETRYCOLLECTION", "GET_FORMAT",
    "GET_LOCK", "GREATEST", "GROUP", "GROUP_CONCAT", "HAVING", "HEX", "HOUR", "IF", "IFNULL", "IGNORE", "IN", "INDEX",
    "INET6_ATON", "INET6_NTOA", "INET_ATON", "INET_NTOA", "INNER", "INSERT", "INSTR", "INT", "INTEGER", "INTERSECT",
    "INTERVAL", "INTO", "IS", "ISNULL", "IS_FREE_LOCK", "IS_IPV4", "IS_IPV4_COMPAT", "IS_IPV4_MAPPED", "IS_IPV6",
    "IS_USED_LOCK", "JOIN", "JSON_ARRAY", "JSON_ARRAYAGG", "JSON_ARRAY_APPEND", "JSON_ARRAY_INSERT", "JSON_CONTAINS",
    "JSON_CONTAINS_PATH", "JSON_DEPTH", "JSON_EXTRACT", "JSON_INSERT", "JSON_KEYS", "JSON_LENGTH", "JSON_MERGE",
    "JSON_MERGE_PATCH", "JSON_MERGE_PRESERVE", "JSON_OBJECT", "JSON_OBJECTAGG", "JSON_OVERLAPS", "JSON_PRETTY",
    "JSON_QUOTE", "JSON_REMOVE", "JSON_REPLACE", "JSON_SEARCH", "JSON_SET", "JSON_TABLE", "JSON_TYPE", "JSON_UNQUOTE",
    "JSON_VALID", "JSON_VALUE", "KEY", "KEYS", "LAG", "LAST_DAY", "LAST_INSERT_ID", "LAST_VALUE", "LCASE", "LEAD",
    "LEAST", "LEFT", "LENGTH", "LIKE", "LIMIT", "LINESTRING", "LN", "LOAD_FILE", "LOCALTIME", "LOCALTIMESTAMP",
    "LOCATE", "LOG", "LOG10", "LOG2", "LOWER", "LPAD", "LTRIM", "MAKEDATE", "MAKETIME", "MAKE_SET", "MASTER_POS_WAIT",
    "MATCH", "MAX", "MBRCONTAINS", "MBRDISJOINT", "MBREQUALS", "MBRINTERSECTS", "MBROVERLAPS", "MBRTOUCHES",
    "MBRWITHIN", "MD5", "MEDIUMINT", "MICROSECOND", "MID", "MIN", "MINUTE", "MOD", "MONTH", "MONTHNAME",
    "MULTILINESTRING", "MULTIPOINT", "MULTIPOLYGON", "NAME_CONST", "NOT", "NOW", "NTH_VALUE", "NTILE", "NULLIF",
    "NUMERIC", "OCT", "OCTET_LENGTH", "ON", "OR", "ORD", "ORDER", "OVER", "PARTITION", "PERCENT_RANK", "PERIOD_ADD",
    "PERIOD_DIFF", "PI", "POINT", "POLYGON", "POSITION", "POW", "POWER", "PRIMARY", "QUARTER", "QUOTE", "RADIANS",
    "RAND", "RANDOM_BYTES", "RANK", "REAL", "RECURSIVE", "REFERENCES", "REGEXP", "REGEXP_INSTR", "REGEXP_REPLACE",
    "REGEXP_SUBSTR", "RELEASE_ALL_LOCKS", "RELEASE_LOCK", "REPEAT", "REPLACE", "REVERSE", "RIGHT", "RLIKE", "ROUND",
    "ROW", "ROW_COUNT", "ROW_NUMBER", "RPAD", "RTRIM", "SCHEMA", "SECOND", "SEC_TO_TIME", "SELECT", "SESSION_USER",
    "SET", "SHA1", "SHA2", "SIGN", "SIN", "SLEEP", "SMALLINT", "SOME", "SOUNDEX", "SPACE", "SPATIAL", "SQRT", "STD",
    "STDDEV", "STDDEV_POP", "STDDEV_SAMP", "STRCMP", "STR_TO_DATE", "ST_AREA", "ST_ASBINARY", "ST_ASGEOJSON",
    "ST_ASTEXT", "ST_BUFFER", "ST_CENTROID", "ST_CONTAINS", "ST_CONVEXHULL", "ST_CROSSES", "ST_DIFFERENCE",
    "ST_DIMENSION", "ST_DISJOINT", "ST_DISTANCE", "ST_DISTANCE_SPHERE", "ST_ENDPOINT", "ST_ENVELOPE", "ST_EQUALS",
    "ST_EXTERIORRING", "ST_GEOMETRYN", "ST_GEOMETRYTYPE", "ST_GEOMFROMGEOJSON", "ST_GEOMFROMTEXT", "ST_GEOMFROMWKB",
    "ST_INTERIORRINGN", "ST_INTERSECTION", "ST_INTERSECTS", "ST_ISCLOSED", "ST_ISEMPTY", "ST_ISSIMPLE", "ST_LENGTH",
    "ST_NUMGEOMETRIES", "ST_NUMINTERIORRINGS", "ST_NUMPOINTS", "ST_OVERLAPS", "ST_POINTFROMTEXT", "ST_POINTN",
    "ST_POLYFROMTEXT", "ST_SRID", "ST_STARTPOINT", "ST_SYMDIFFERENCE", "ST_TOUCHES", "ST_UNION", "ST_WITHIN", "ST_X",
    "ST_Y", "SUBDATE", "SUBSTR", "SUBSTRING", "SUBSTRING_INDEX", "SUBTIME", "SUM", "SYSDATE", "SYSTEM_USER", "TAN",
    "THEN", "TIME", "TIMEDIFF", "TIMESTAMP", "TIMESTAMPADD", "TIMESTAMPDIFF", "TIME_FORMAT", "TIME_TO_SEC", "TINYINT",
    "TO_BASE64", "TO_DAYS", "TO_SECONDS", "TRIM", "TRUNCATE", "UCASE", "UNCOMPRESS", "UNCOMPRESSED_LENGTH", "UNHEX",
    "UNION", "UNIQUE", "UNIX_TIMESTAMP", "UPDATE", "UPDATEXML", "UPPER", "USE", "USER", "USING", "UTC_DATE",
    "UTC_TIME", "UTC_TIMESTAMP", "UUID", "UUID_SHORT", "VALUES", "VARBINARY", "VARCHAR", "VARIANCE", "VAR_POP",
    "VAR_SAMP", "VERSION", "WEEK", "WEEKDAY", "WEEKOFYEAR", "WEIGHT_STRING", "WHEN", "WHERE", "WITH", "XOR", "YEAR",
    "YEARWEEK",
};
// Names that stored functions have in the other family, where they make up for what is missing.
constexpr std::array<std::string_view, 62> of_mysql{
    "ANY_VALUE", "BIN_TO_UUID", "DISTANCE", "FORMAT_BYTES", "FORMAT_PICO_TIME", "GEOMCOLLECTION", "GROUPING",
    "GTID_SUBSET", "GTID_SUBTRACT", "ICU_VERSION", "IS_UUID", "IS_VISIBLE_DD_OBJECT", "JSON_SCHEMA_VALID",
    "JSON_SCHEMA_VALIDATION_REPORT", "JSON_STORAGE_FREE", "JSON_STORAGE_SIZE", "MBRCOVEREDBY", "MBRCOVERS",
    "PS_CURRENT_THREAD_ID", "PS_THREAD_ID", "REGEXP_LIKE", "ROLES_GRAPHML", "SOURCE_POS_WAIT", "STATEMENT_DIGEST",
    "STATEMENT_DIGEST_TEXT", "STRING_TO_VECTOR", "ST_BUFFER_STRATEGY", "ST_COLLECT", "ST_FRECHETDISTANCE",
    "ST_GEOHASH", "ST_GEOMCOLLFROMTEXT", "ST_GEOMCOLLFROMWKB", "ST_HAUSDORFFDISTANCE", "ST_ISVALID",
    "ST_LATFROMGEOHASH", "ST_LATITUDE", "ST_LINEFROMTEXT", "ST_LINEFROMWKB", "ST_LINEINTERPOLATEPOINT",
    "ST_LINEINTERPOLATEPOINTS", "ST_LONGFROMGEOHASH", "ST_LONGITUDE", "ST_MAKEENVELOPE", "ST_MLINEFROMTEXT",
    "ST_MLINEFROMWKB", "ST_MPOINTFROMTEXT", "ST_MPOINTFROMWKB", "ST_MPOLYFROMTEXT", "ST_MPOLYFROMWKB",
    "ST_POINTATDISTANCE", "ST_POINTFROMGEOHASH", "ST_POINTFROMWKB", "ST_POLYFROMWKB", "ST_SIMPLIFY", "ST_SWAPXY",
    "ST_TRANSFORM", "ST_VALIDATE", "UUID_TO_BIN", "VALIDATE_PASSWORD_STRENGTH", "VECTOR_DIM", "VECTOR_TO_STRING",
    "WAIT_FOR_EXECUTED_GTID_SET",
};
constexpr std::array<std::string_view, 39> of_mariadb{
    "ADD_MONTHS", "BINLOG_GTID_POS", "CHR", "COLUMN_CHECK", "COLUMN_EXISTS", "COLUMN_JSON", "COLUMN_LIST", "CRC32C",
    "DECODE", "DECODE_HISTOGRAM", "DES_DECRYPT", "DES_ENCRYPT", "ENCODE", "ENCRYPT", "JSON_COMPACT", "JSON_DETAILED",
    "JSON_EQUALS", "JSON_EXISTS", "JSON_LOOSE", "JSON_NORMALIZE", "JSON_QUERY", "LENGTHB", "MASTER_GTID_WAIT",
    "MEDIAN", "NATURAL_SORT_KEY", "NVL", "NVL2", "OLD_PASSWORD", "PASSWORD", "PERCENTILE_CONT", "PERCENTILE_DISC",
    "SCHEMAS", "SFORMAT", "SHA", "SYS_GUID", "TO_CHAR", "WSREP_LAST_SEEN_GTID", "WSREP_LAST_WRITTEN_GTID",
    "WSREP_SYNC_WAIT_UPTO_GTID",
};
// clang-format on

static_assert(std::ranges::is_sorted(native) && std::ranges::is_sorted(of_mysql) && std::ranges::is_sorted(of_mariadb));

constexpr std::size_t max_variables = 32;

}  // namespace

bool is_native_function(std::string_view name, bool mariadb) noexcept {
    return std::ranges::binary_search(native, name) ||
           (mariadb ? std::ranges::binary_search(of_mariadb, name) : std::ranges::binary_search(of_mysql, name));
}

std::string variable_name(std::string_view kept) {
    std::string name = "@`";
    for (const char c : kept) {
        if (c == '`') name += c;
        name += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    }
    return name += '`';
}

bool is_certain_variable(std::string_view name) noexcept {
    return name.size() > 3 && name[name.size() - 2] != ' ' &&
           std::ranges::all_of(name, [](char c) { return c >= 0x20 && c < 0x7F; });
}

// A parenthesis behind a name. Not a call is what has columns behind it: INTO t (a), INTO d.t (a), TABLE t (a), AS t (a),
// and what follows another parenthesis: MATCH (a) AGAINST (b).
void Lexer::note_call() {
    if (last_word_.empty()) return;
    constexpr std::array<std::string_view, 6> flow{"WHILE", "UNTIL", "ELSEIF", "RETURN", "CASE", "WHEN"};
    if (mode_.routine && one_of(last_word_, flow)) return;
    const bool qualified = before_last_ == Before::dot;
    const bool columns =
        since_table_ == 1 || (since_table_ == 3 && qualified) || (since_table_ == 2 && last_word_ == "VALUE");
    if (!calling_ && (columns || before_last_ == Before::as || before_last_ == Before::parenthesis)) return;
    if (calling_ || qualified || !is_native_function(last_word_, mode_.mariadb)) note_called(qualified);
}

void Lexer::note_called(bool qualified) {
    constexpr std::size_t most = 16;
    statement_.runs_stored = true;
    std::string name = std::exchange(calling_, false) ? "CALL " : "";
    if (qualified) (name += qualifier_) += '.';
    name += last_word_ == "'" ? previous_ : lower_case(last_word_);
    std::vector<std::string>& calls = statement_.make().calls;
    if (std::ranges::find(calls, name) != calls.end()) return;
    if (calls.size() < most) {
        calls.push_back(std::move(name));
    } else {
        statement_.merge_pin("many stored routines");
    }
}

void Lexer::note_variable() {
    const bool quoted = variable_quote_;
    if (!kept_all_ || (quoted && quote_ != '`' && !quote_plain_) || statement_.variables.size() == max_variables) {
        statement_.variables_lost = true;
        return;
    }
    std::string name = variable_name(kept_);
    if (std::ranges::find(statement_.variables, name) == statement_.variables.end())
        statement_.variables.push_back(std::move(name));
}

}  // namespace leasehold::mysql
