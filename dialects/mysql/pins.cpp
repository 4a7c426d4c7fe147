// SPDX-License-Identifier: Apache-2.0
#include "dialects/mysql/pins.hpp"

#include "dialects/mysql/framing.hpp"
#include "dialects/wire/cursor.hpp"

#include <algorithm>
#include <optional>

namespace leasehold::mysql {
namespace {

constexpr std::size_t longest_value = 4096;  // of a user variable that is carried
constexpr std::size_t most_asked = 100;      // variables in one round
constexpr std::string_view of_insert_id = "insert_id";

// False: there are too many.
bool add_once(std::vector<std::string>& to, std::string_view name) {
    if (std::ranges::find(to, name) != to.end()) return true;
    if (to.size() >= Pins::most) return false;
    to.emplace_back(name);
    return true;
}

[[nodiscard]] std::string in_database(const std::string& name, std::string_view database) {
    if (name.find('.') != std::string::npos) return name;
    return (std::string(database) += '.') += name;
}

[[nodiscard]] int digit(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// Whether a server takes these bytes for text of UTF-8.
[[nodiscard]] bool is_utf8(std::string_view hex, bool four) noexcept {
    int more = 0;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
        const int byte = digit(hex[i]) * 16 + digit(hex[i + 1]);
        if (more > 0) {
            if (byte < 0x80 || byte > 0xBF) return false;
            --more;
        } else if (byte >= 0x80) {
            // Without those beginnings that would have to be looked at more closely.
            if (byte < 0xC3 || byte > 0xF3 || byte == 0xE0 || byte == 0xED || byte == 0xF0) return false;
            more = byte >= 0xF0 ? 3 : byte >= 0xE0 ? 2 : 1;
            if (more == 3 && !four) return false;
        }
    }
    return more == 0;
}

[[nodiscard]] bool is_ascii(std::string_view hex) noexcept {
    for (std::size_t i = 0; i < hex.size(); i += 2) {
        if (hex[i] >= '8') return false;
    }
    return true;
}

struct Column {
    std::uint8_t type = 0;
    bool is_unsigned = false;
};

// The packets of a reply that is one row, or none.
class Answer {
  public:
    Answer(Bytes packets, bool extended) noexcept : rest_(packets), extended_(extended) {}

    // False: it is no such reply.
    [[nodiscard]] bool read() {
        wire::Cursor head(packet());
        const std::uint64_t count = head.lenenc();
        if (!head.ok() || count == 0 || count > 4 * (Pins::most + most_asked)) return false;
        for (std::uint64_t i = 0; i < count; ++i) columns.push_back(column(packet()));
        wire::Cursor row(packet());
        if (row.remaining() == 5) row = wire::Cursor(packet());  // behind an EOF
        for (std::uint64_t i = 0; i < count && row.ok(); ++i) fields.push_back(field(row));
        return row.ok() && row.remaining() == 0 && fields.size() == count && ok_;
    }
    std::vector<Column> columns;
    std::vector<std::optional<std::string_view>> fields;

  private:
    Bytes packet() noexcept {
        if (rest_.size() < header_size) return ok_ = false, Bytes();
        const std::size_t length = header_of(rest_).length;
        if (rest_.size() < header_size + length) return ok_ = false, Bytes();
        const Bytes body = rest_.subspan(header_size, length);
        rest_ = rest_.subspan(header_size + length);
        return body;
    }
    Column column(Bytes body) noexcept {
        wire::Cursor cursor(body);
        for (int i = 0; i < 6; ++i) (void)cursor.lenenc_text();
        if (extended_) (void)cursor.lenenc_text();
        (void)cursor.lenenc();
        cursor.skip(2 + 4);
        Column made;
        made.type = cursor.u8();
        made.is_unsigned = (cursor.u16le() & 0x20) != 0;
        ok_ = ok_ && cursor.ok();
        return made;
    }
    static std::optional<std::string_view> field(wire::Cursor& row) noexcept {
        wire::Cursor ahead = row;
        if (ahead.u8() == 0xFB && ahead.ok()) {
            row = ahead;
            return std::nullopt;
        }
        return row.lenenc_text();
    }
    Bytes rest_;
    bool extended_;
    bool ok_ = true;
};

[[nodiscard]] bool is_whole_number(std::uint8_t type) noexcept {
    return type <= 3 ? type != 0 : type == 8 || type == 9;
}
[[nodiscard]] bool is_double(std::uint8_t type) noexcept { return type == 4 || type == 5; }
[[nodiscard]] bool is_decimal(std::uint8_t type) noexcept { return type == 0 || type == 246; }

// "utf8mb4" of "utf8mb4_bin"; empty: it is no collation's name.
[[nodiscard]] std::string_view charset_of(std::string_view collation) noexcept {
    const bool named = std::ranges::all_of(
        collation, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
    return named ? collation.substr(0, collation.find('_')) : std::string_view();
}

// A session variable's value as SQL.
std::optional<std::string> setting_of(const Column& column, std::optional<std::string_view> value) {
    if (!value) return "NULL";
    if (value->size() > longest_value) return std::nullopt;
    const bool number = is_whole_number(column.type) || is_double(column.type) || is_decimal(column.type);
    if (number && !value->empty()) return std::string(*value);
    const bool plain =
        std::ranges::all_of(*value, [](char c) { return c >= 0x20 && c < 0x7F && c != '\'' && c != '\\'; });
    if (!plain) return std::nullopt;
    std::string made = "'";
    return (made += *value) += '\'';
}

// No value has a type as well.
std::string null_of(const Column& column, std::string_view collation) {
    if (is_whole_number(column.type)) return column.is_unsigned ? "CAST(NULL AS UNSIGNED)" : "CAST(NULL AS SIGNED)";
    if (is_double(column.type)) return "NULL+0e0";
    if (is_decimal(column.type)) return "CAST(NULL AS DECIMAL)";
    const std::string_view charset = charset_of(collation);
    if (charset.empty() || charset == "binary") return "NULL";
    std::string made = "CAST(NULL AS CHAR CHARACTER SET ";
    ((made += charset) += ") COLLATE ") += collation;
    return made;
}

// A value as SQL; nothing: it cannot be written down.
std::optional<std::string> literal_of(const Column& column, std::string_view value, std::string_view hex,
                                      std::string_view collation) {
    if (value.size() > longest_value) return std::nullopt;
    std::string made(value);
    if (is_whole_number(column.type)) return column.is_unsigned ? "CAST(" + made + " AS UNSIGNED)" : made;
    if (is_double(column.type)) return made.find('e') == std::string::npos ? made + "e0" : made;
    if (is_decimal(column.type)) return made.find('.') == std::string::npos ? made + '.' : made;
    const std::string_view charset = charset_of(collation);
    const bool any = charset == "binary" || charset == "latin1";
    const bool four = charset == "utf8mb4";
    const bool whole = any || ((four || charset == "utf8mb3" || charset == "utf8") && is_utf8(hex, four));
    const bool single = charset != "utf16" && charset != "utf16le" && charset != "utf32" && charset != "ucs2";
    if (charset.empty() || hex.size() > 2 * longest_value || !(whole || (single && is_ascii(hex)))) return std::nullopt;
    std::string text = "_";
    ((text += charset) += " X'") += hex;
    text += '\'';
    return charset == "binary" ? text : (text += " COLLATE ") += collation;
}

}  // namespace

void Pins::apply(const Effect& effect, std::string_view database) {
    switch (effect.kind) {
        case Effect::Kind::drop_table: std::erase(tables_, in_database(effect.name, database)); break;
        case Effect::Kind::unlock_all:
            locks_.clear();
            locked_somewhere_ = locks_due_ = false;
            break;
        case Effect::Kind::close_handler: std::erase(handlers_, effect.name); break;
        case Effect::Kind::deallocate:
            std::erase_if(prepared_, [&](const Prepared& one) { return one.name == effect.name; });
            break;
        case Effect::Kind::end_setting: std::erase(settings_, effect.name); break;
        default: apply_perhaps(effect, database);
    }
}

void Pins::apply_perhaps(const Effect& effect, std::string_view database) {
    switch (effect.kind) {
        case Effect::Kind::table:
            // Of no current database there are none.
            tables_lost_ |= !add_once(tables_, in_database(effect.name, database));
            break;
        case Effect::Kind::renames: tables_lost_ |= !tables_.empty(); break;
        case Effect::Kind::lock:
            if (!add_once(locks_, effect.name)) locked_somewhere_ = true;
            locks_due_ = true;
            break;
        case Effect::Kind::handler: handlers_lost_ |= !add_once(handlers_, effect.name); break;
        case Effect::Kind::prepare:
            std::erase_if(prepared_, [&](const Prepared& one) { return one.name == effect.name; });
            if (prepared_.size() < most) {
                prepared_.push_back({effect.name, effect.text});
            } else {
                prepared_lost_ = true;
            }
            break;
        case Effect::Kind::setting:
            (void)add_once(settings_, effect.name);
            insert_id_due_ = true;
            break;
        default: break;
    }
}

void Pins::assigned(std::string_view variable) {
    variables_lost_ |= !add_once(variables_, variable);
    variables_due_ = true;
}

void Pins::asked(std::string_view setting) { settings_lost_ |= !add_once(asked_, setting); }

// Nobody knows.
void Pins::unanswered() noexcept {
    locks_due_ = variables_due_ = insert_id_due_ = false;
    settings_lost_ = settings_lost_ || !asked_.empty();
    asked_.clear();
}

void Pins::known(std::string_view variable) { std::erase(variables_, variable); }

void Pins::uncarried(std::string_view variable) { variables_lost_ |= !add_once(variables_, variable); }

std::string_view Pins::reason() const noexcept {
    if (!tables_.empty() || tables_lost_) return "temporary table";
    if (!locks_.empty() || locked_somewhere_) return "GET_LOCK";
    if (!handlers_.empty() || handlers_lost_) return "HANDLER";
    if (!prepared_.empty() || prepared_lost_) return "SQL PREPARE";
    if (!settings_.empty()) return settings_.front() == of_insert_id ? "SET insert_id" : "SET sql_auto_is_null";
    if (!asked_.empty() || settings_lost_) return "SET of what is not carried";
    if (!variables_.empty() || variables_lost_) return "user variable";
    if (!called_.empty()) return "a stored routine that is not known yet";
    return {};
}

bool Pins::called(const Routine& routine) {
    constexpr std::size_t most_called = 32;
    if (std::ranges::find(looked_at_, routine) != looked_at_.end()) return true;
    if (looked_at_.size() >= most_called) return false;
    looked_at_.push_back(routine);
    called_.push_back(routine);
    return true;
}

std::shared_ptr<const Statement> Pins::prepared(std::string_view name) const {
    const auto found = std::ranges::find(prepared_, name, &Prepared::name);
    return found == prepared_.end() ? nullptr : found->text;
}

bool Pins::has_prepared(std::string_view name) const {
    return prepared_lost_ || std::ranges::find(prepared_, name, &Prepared::name) != prepared_.end();
}

// Values are worth asking for when nothing else keeps the session.
std::string Pins::question() {
    const bool others = !tables_.empty() || tables_lost_ || locked_somewhere_ || !handlers_.empty() || handlers_lost_ ||
                        !prepared_.empty() || prepared_lost_ || variables_lost_ || !settings_.empty() || settings_lost_;
    const bool values = variables_due_ && !others && variables_.size() <= most_asked;
    std::string sql;
    asked_definitions_ = !called_.empty() && !others;
    if (asked_definitions_) {
        for (const Routine& routine : called_) (sql += sql.empty() ? "SELECT " : ",") += routine.question();
        return sql;
    }
    const auto ask = [&sql](std::string_view before, std::string_view name, std::string_view behind) {
        ((sql += sql.empty() ? "SELECT " : ",") += before) += name;
        sql += behind;
    };
    in_question_ = {};
    if (locks_due_ || (values && !locks_.empty())) {
        for (const std::string& name : locks_) ask("IS_USED_LOCK('", name, "')<=>CONNECTION_ID()");
        in_question_.locks = locks_.size();
    }
    if (insert_id_due_ && std::ranges::find(settings_, of_insert_id) != settings_.end()) {
        ask({}, "@@insert_id", {});
        in_question_.insert_id = 1;
    }
    if (!others && asked_.size() <= most_asked) {
        for (const std::string& name : asked_) ask("@@session.`", name, "`");
        in_question_.settings = asked_.size();
    }
    if (!values) return sql;
    for (const std::string& name : variables_) {
        ask({}, name, {});
        ask("HEX(CAST(", name, " AS BINARY))");
        ask("COLLATION(", name, ")");
    }
    in_question_.variables = variables_.size();
    return sql;
}

bool Pins::answered(Bytes packets, bool extended, std::vector<std::pair<std::string, std::string>>& values) {
    Answer answer(packets, extended);
    const bool read = answer.read();
    if (asked_definitions_) {
        std::vector<Routine> asked = std::exchange(called_, {});
        const bool told = read && answer.fields.size() == asked.size();
        for (std::size_t i = 0; i < asked.size(); ++i) {
            std::optional<std::string> definition;
            if (told && answer.fields[i]) definition = std::string(*answer.fields[i]);
            if (!told) definition.emplace();  // which nobody can read
            defined_.push_back({std::move(asked[i]), std::move(definition)});
        }
        return true;
    }
    const Asked asked = std::exchange(in_question_, {});
    if (!read || answer.fields.size() != asked.locks + asked.insert_id + asked.settings + 3 * asked.variables) {
        unanswered();
        return false;
    }
    std::size_t at = 0;
    std::vector<std::string> kept;
    for (; at < asked.locks; ++at) {
        if (answer.fields[at] != "0") kept.push_back(std::move(locks_[at]));
    }
    if (asked.locks > 0) locks_ = std::move(kept);
    locks_due_ = false;
    if (asked.insert_id > 0) {
        if (answer.fields[at++] == "0") std::erase(settings_, of_insert_id);
        insert_id_due_ = false;
    }
    for (std::string& name : asked.settings > 0 ? std::exchange(asked_, {}) : std::vector<std::string>()) {
        std::optional<std::string> literal = setting_of(answer.columns[at], answer.fields[at]);
        ++at;
        if (literal) {
            values.emplace_back(std::move(name), std::move(*literal));
        } else {
            settings_lost_ = true;
        }
    }
    if (asked.variables == 0) return true;
    variables_due_ = false;
    kept = {};
    for (std::size_t i = 0; i < variables_.size(); ++i, at += 3) {
        const auto& fields = answer.fields;
        const std::string_view collation = fields[at + 2].value_or("");
        std::optional<std::string> literal = null_of(answer.columns[at], collation);
        if (fields[at]) {
            literal = literal_of(answer.columns[at], *fields[at], fields[at + 1].value_or(""), collation);
        }
        if (literal) {
            values.emplace_back(std::move(variables_[i]), std::move(*literal));
        } else {
            kept.push_back(std::move(variables_[i]));
        }
    }
    variables_ = std::move(kept);
    return true;
}

}  // namespace leasehold::mysql
