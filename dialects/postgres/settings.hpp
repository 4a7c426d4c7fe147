// SPDX-License-Identifier: Apache-2.0
// The settings (GUCs) that a session asked for or a backend holds beyond its defaults, the SQL that turns one set into
// another, and reading them from a startup packet's `options`. Knows nothing of transactions: the tracker does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace leasehold::postgres {

// Name → value, ordered by name. Names compare without ASCII case, as the server's do; the server's spelling is kept
// for those it reports ("DateStyle"), the first spelling given for others.
class Settings {
  public:
    struct Setting {
        std::string name;
        std::string value;
        friend bool operator==(const Setting&, const Setting&) = default;
    };

    // False, and nothing is changed: the name is none that can be written down safely (see well_formed), or the value
    // holds a NUL.
    bool set(std::string_view name, std::string_view value);
    bool erase(std::string_view name) noexcept;
    void clear() noexcept;

    [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept;
    [[nodiscard]] bool contains(std::string_view name) const noexcept { return find(name).has_value(); }
    [[nodiscard]] std::size_t size() const noexcept { return items_.size(); }
    [[nodiscard]] bool empty() const noexcept { return items_.empty(); }
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }  // of names and values, for limits
    [[nodiscard]] auto begin() const noexcept { return items_.begin(); }
    [[nodiscard]] auto end() const noexcept { return items_.end(); }

    // Equal for equal settings, kept up with each change; 0 when empty. A preference only: whether a backend holds what
    // a session wants is decided by ==, as a client could search for two sets of one fingerprint.
    [[nodiscard]] std::uint64_t fingerprint() const noexcept { return fingerprint_; }
    // Of one number are only sets that hold the same; what has been changed and changed back may have another.
    [[nodiscard]] std::uint64_t revision() const noexcept { return revision_; }
    [[nodiscard]] friend bool operator==(const Settings& a, const Settings& b) noexcept {
        return a.fingerprint_ == b.fingerprint_ && a.same(b);
    }

  private:
    [[nodiscard]] bool same(const Settings& other) const noexcept;

    std::vector<Setting> items_;
    std::size_t bytes_ = 0;
    std::uint64_t fingerprint_ = 0;
    std::uint64_t revision_ = 0;
};

// One or several statements for one simple Query (all or nothing, as it is one implicit transaction), or nothing when
// equal. What `wanted` lacks is RESET to the backend's own default. Pure ASCII whatever the values hold, so that the
// client encoding of the moment cannot change its meaning.
[[nodiscard]] std::string diff_sql(const Settings& held, const Settings& wanted);
// One or several statements that set what `held` has not, or has otherwise, and touch nothing else; or nothing.
[[nodiscard]] std::string missing_sql(const Settings& held, const Settings& wanted);

// The server announces changes of it by ParameterStatus (GUC_REPORT), in any version up to 18.
[[nodiscard]] bool is_reported(std::string_view name) noexcept;
// Of those reported: a session can choose it, and it can be carried from one backend to another as reported.
[[nodiscard]] bool is_carriable(std::string_view name) noexcept;
// Letters, digits, _ and $, in parts divided by dots; up to 127 bytes.
[[nodiscard]] bool well_formed(std::string_view name) noexcept;
// `asked`, with the values that can be carried as the server spells them: "UTF8" for "utf-8".
using Reported = std::vector<std::pair<std::string, std::string>>;  // ParameterStatus
[[nodiscard]] Settings as_reported(Settings asked, const Reported& said);
// The server's spelling of a reported setting's name, else the name itself.
[[nodiscard]] std::string_view canonical(std::string_view name) noexcept;
[[nodiscard]] bool same_name(std::string_view a, std::string_view b) noexcept;
// A search_path by which new tables may be temporary without being called so.
[[nodiscard]] bool names_pg_temp(std::string_view search_path) noexcept;

// The startup packet's `options`: "-c name=value", "-cname=value", "--name=value", and the switches of postgres(1) that
// stand for settings; a backslash keeps the next character, blanks included. Later ones win.
struct StartupOptions {
    std::vector<std::pair<std::string, std::string>> settings;  // in order
    std::string error;  // what is malformed: "-c work_mem requires a value"; else empty
};
[[nodiscard]] StartupOptions parse_options(std::string_view options);

// 'text' or E'te\\xt' for ASCII; for other bytes an expression that decodes them in the session's client_encoding.
[[nodiscard]] std::string quote_literal(std::string_view text);
// "a"."b": each part of a dotted name by itself.
[[nodiscard]] std::string quote_setting_name(std::string_view name);

}  // namespace leasehold::postgres
