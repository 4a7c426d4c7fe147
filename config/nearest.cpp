// SPDX-License-Identifier: Apache-2.0
#include "config/nearest.hpp"

#include <algorithm>

namespace leasehold::config {
namespace {

// Longer words are no misspelling of a key; this also bounds the work on a hostile file.
constexpr std::size_t longest_word = 64;

std::string folded(std::string_view word) {
    std::string out(word);
    for (char& c : out) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
        if (c == '-' || c == ' ') c = '_';
    }
    return out;
}

// Insertions, deletions, replacements and swaps of neighbours.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), now(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        now[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            now[j] = std::min({last[j] + 1, now[j - 1] + 1, replaced});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = std::min(now[j], before[j - 2] + 1);
        }
        std::swap(before, last);
        std::swap(last, now);
    }
    return last[b.size()];
}

// "timeout" is meant as "pool_timeout", "pool_mode" as "mode": whole words at the end count as one mistake.
bool ends_with_word(std::string_view text, std::string_view tail) {
    return tail.size() >= 4 && text.size() > tail.size() && text.ends_with(tail) &&
           text[text.size() - tail.size() - 1] == '_';
}

}  // namespace

std::string_view nearest(std::string_view word, std::span<const std::string_view> known) {
    if (word.empty() || word.size() > longest_word) return {};
    const std::string wanted = folded(word);
    std::string_view best;
    // A third may be wrong, but not all of it: `b` is not near to `a`.
    std::size_t least = std::min(std::max<std::size_t>(1, wanted.size() / 3) + 1, wanted.size());
    for (const std::string_view candidate : known) {
        const std::string other = folded(candidate);
        std::size_t d = distance(wanted, other);
        if (ends_with_word(other, wanted) || ends_with_word(wanted, other)) d = std::min<std::size_t>(d, 1);
        if (d < least) {
            least = d;
            best = candidate;
        }
    }
    return best;
}

std::string_view nearest(std::string_view word, const std::vector<std::string>& known) {
    const std::vector<std::string_view> views(known.begin(), known.end());
    return nearest(word, std::span(views));
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> known) {
    const std::string_view found = nearest(word, known);
    return found.empty() ? std::string() : "did you mean " + std::string(found) + "?";
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& known) {
    const std::string_view found = nearest(word, known);
    return found.empty() ? std::string() : "did you mean " + std::string(found) + "?";
}

std::string one_of(std::span<const std::string_view> known) {
    std::string out = "one of ";
    for (std::size_t i = 0; i < known.size(); ++i) {
        if (i > 0) out += ", ";
        out += known[i];
    }
    return out;
}

}  // namespace leasehold::config
