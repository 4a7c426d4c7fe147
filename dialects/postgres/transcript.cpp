// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/transcript.hpp"

namespace leasehold::postgres {
namespace {

[[nodiscard]] std::size_t length_at(const std::vector<char>& bytes, std::size_t at) noexcept {
    const auto byte = [&bytes](std::size_t i) { return std::size_t{static_cast<unsigned char>(bytes[i])}; };
    return byte(at) << 8 | byte(at + 1);
}

[[nodiscard]] std::string_view shortened(std::string_view text) noexcept {
    const std::size_t from = text.find_first_not_of(" \t\r\n\f\v");
    if (from == std::string_view::npos) return {};
    text.remove_prefix(from);
    if (text.size() <= Transcript::max_bytes) return text;
    std::size_t cut = Transcript::max_bytes;
    while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xC0) == 0x80) --cut;
    return text.substr(0, cut);
}

}  // namespace

void Transcript::clear() noexcept {
    bytes_.clear();
    count_ = 0;
}

std::uint32_t Transcript::add(std::string_view text) {
    const std::string_view kept = shortened(text);
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
