// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/transcript.hpp"

#include "dialects/wire/text.hpp"

namespace leasehold::postgres {
namespace {

[[nodiscard]] std::size_t length_at(const std::vector<char>& bytes, std::size_t at) noexcept {
    const auto byte = [&bytes](std::size_t i) { return std::size_t{static_cast<unsigned char>(bytes[i])}; };
    return byte(at) << 8 | byte(at + 1);
}

[[nodiscard]] std::string_view kept_of(std::string_view text) noexcept {
    const std::size_t from = text.find_first_not_of(" \t\r\n\f\v");
    return from == std::string_view::npos ? std::string_view()
                                          : wire::shortened(text.substr(from), Transcript::max_bytes);
}

}  // namespace

void Transcript::clear() noexcept {
    bytes_.clear();
    count_ = 0;
}

std::uint32_t Transcript::add(std::string_view text) {
    const std::string_view kept = kept_of(text);
    if (count_ == max_statements) {
        bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(2 + length_at(bytes_, 0)));
        --count_;
    }
    bytes_.push_back(static_cast<char>(kept.size() >> 8));
    bytes_.push_back(static_cast<char>(kept.size() & 0xFF));
    bytes_.insert(bytes_.end(), kept.begin(), kept.end());
    ++count_;
    if (++last_ == 0) ++last_;
    return last_;
}

std::string_view Transcript::find(std::uint32_t number) const noexcept {
    const std::uint32_t back = last_ - number;
    if (number == 0 || back >= count_) return {};
    std::size_t at = 0;
    for (std::size_t skip = count_ - 1 - back; skip > 0; --skip) at += 2 + length_at(bytes_, at);
    return {bytes_.data() + at + 2, length_at(bytes_, at)};
}

std::vector<std::string> Transcript::statements(bool literals, std::optional<bool> conforming) const {
    std::vector<std::string> all;
    all.reserve(count_);
    for (std::size_t at = 0; at < bytes_.size(); at += 2 + length_at(bytes_, at)) {
        const std::string_view text(bytes_.data() + at + 2, length_at(bytes_, at));
        all.push_back(literals ? std::string(text) : mask(text, max_bytes, conforming));
    }
    return all;
}

}  // namespace leasehold::postgres
