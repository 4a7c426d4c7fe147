// SPDX-License-Identifier: Apache-2.0
// One map of the file, read key by key into a struct: a key that is absent leaves the struct's default, a wrong value
// is reported. Private to this folder.
#pragma once

#include "config/keys.hpp"
#include "config/model.hpp"
#include "config/reader.hpp"

namespace leasehold::config {

template <class E>
struct Choice {
    std::string_view word;
    E value;
};

class Section {
  public:
    // Reports the keys that `part` does not have.
    Section(Reader& reader, const Value& value, Part part);

    [[nodiscard]] const Value* find(std::string_view name) const;
    [[nodiscard]] const Value& self() const noexcept { return value_; }
    [[nodiscard]] Reader& reader() noexcept { return reader_; }
    [[nodiscard]] std::string key(std::string_view name) const;

    // Reports its absence; what must stand there is said by the suggestion.
    [[nodiscard]] const Value* require(std::string_view name, std::string suggestion);

    void text(std::string_view name, std::string& out);
    void flag(std::string_view name, bool& out);
    // What is too small or too large for a number, the table of keys says.
    void count(std::string_view name, int& out);
    void duration(std::string_view name, Duration& out);
    void duration_or_never(std::string_view name, std::optional<Duration>& out);  // -1: never
    void size(std::string_view name, std::uint64_t& out);
    void share(std::string_view name, double& out);
    void names(std::string_view name, std::vector<std::string>& out);  // reports a name that stands twice

    template <class E, std::size_t N>
    void choice(std::string_view name, E& out, const std::array<Choice<E>, N>& choices) {
        std::vector<std::string_view> words;
        for (const auto& choice : choices) words.push_back(choice.word);
        if (const auto index = choose(name, words)) out = choices[*index].value;
    }

    // "is no duration: "30 s"; write 30s": the value is shown unless it is a secret.
    void refuse(const Value& value, const Scalar& scalar, std::string message, std::string suggestion = {});

  private:
    [[nodiscard]] std::optional<std::size_t> choose(std::string_view name, const std::vector<std::string_view>& words);
    // A number: reports one in quotes.
    [[nodiscard]] std::optional<Scalar> number(const Value& value);

    Reader& reader_;
    Value value_;
    Part part_;
    std::vector<std::pair<std::string, Value>> pairs_;
};

}  // namespace leasehold::config
