// SPDX-License-Identifier: Apache-2.0
#include "dialects/postgres/prepared.hpp"

#include <algorithm>
#include <atomic>
#include <charconv>

namespace leasehold::postgres {
namespace {

// What an entry costs beside its text, roughly: node, list node, digest.
constexpr std::size_t overhead = sizeof(PreparedText) + 96;
// Of the whole process: a backend may come to another worker with the names it holds.
std::atomic<std::uint64_t> last_id{0};

}  // namespace

TextRef::TextRef(StatementCache& cache, PreparedText& text) noexcept : cache_(&cache), text_(&text) { cache.use(text); }

TextRef& TextRef::operator=(TextRef&& other) noexcept {
    if (this != &other) {
        release();
        cache_ = std::exchange(other.cache_, nullptr);
        text_ = std::exchange(other.text_, nullptr);
    }
    return *this;
}

void TextRef::release() noexcept {
    if (text_ != nullptr) cache_->unuse(*text_);
    text_ = nullptr;
}

StatementCache::~StatementCache() = default;

std::shared_ptr<StatementCache> StatementCache::local(std::size_t max_bytes) {
    thread_local std::weak_ptr<StatementCache> current;
    std::shared_ptr<StatementCache> cache = current.lock();
    if (!cache) {
        cache = std::make_shared<StatementCache>(max_bytes);
        current = cache;
    }
    return cache;
}

PreparedText* StatementCache::find(const Key& key) const {
    const auto found = texts_.find(key);
    return found == texts_.end() ? nullptr : found->second.get();
}

PreparedText* StatementCache::add(const Key& key) {
    const std::size_t cost = key.tail.size() + overhead;
    while (bytes_ + cost > max_bytes_ && !idle_.empty()) drop(*idle_.front());
    if (bytes_ + cost > max_bytes_) return nullptr;
    auto text = std::make_unique<PreparedText>();
    text->id = ++last_id;
    text->tail = key.tail;
    text->conforming = key.conforming;
    text->reading = key.reading;
    text->cached = true;
    text->idle = idle_.insert(idle_.end(), text.get());
    PreparedText* added = text.get();
    texts_.emplace(Key{added->tail, key.conforming, key.reading}, std::move(text));
    bytes_ += cost;
    return added;
}

TextRef StatementCache::unkept(const Digest& digest) {
    auto text = std::make_unique<PreparedText>();
    text->id = ++last_id;
    text->digest = digest;
    return {*this, *text.release()};  // freed with its last reference
}

void StatementCache::use(PreparedText& text) noexcept {
    if (text.users++ == 0 && text.cached) idle_.erase(text.idle);
}

void StatementCache::unuse(PreparedText& text) noexcept {
    if (--text.users != 0) return;
    if (text.cached) {
        text.idle = idle_.insert(idle_.end(), &text);
    } else {
        delete &text;
    }
}

void StatementCache::drop(PreparedText& text) noexcept {
    idle_.erase(text.idle);
    bytes_ -= text.tail.size() + overhead;
    texts_.erase(Key{text.tail, text.conforming, text.reading});
}

Namespace::Named* Namespace::find(std::string_view name) noexcept {
    const auto found = names_.find(cut(name));
    return found == names_.end() ? nullptr : &*found;
}

Namespace::Named& Namespace::add(std::string_view name, TextRef text) {
    return *names_.emplace(std::string(cut(name)), std::move(text)).first;
}

void Namespace::remove(Named& named) {
    const auto found = names_.find(named.first);
    if (found != names_.end() && &*found == &named) removed_.push_back(names_.extract(found));
}

void Namespace::restore(Named& named) {
    const auto node = std::find_if(removed_.begin(), removed_.end(), [&named](const Map::node_type& candidate) {
        return &candidate.mapped() == &named.second;
    });
    if (node == removed_.end()) return;
    names_.insert(std::move(*node));
    removed_.erase(node);
}

void Namespace::clear() {
    while (!names_.empty()) removed_.push_back(names_.extract(names_.begin()));
}

void Namespace::settle() noexcept { removed_.clear(); }

namespace {
std::atomic<std::uint64_t> schema_now{1}, schema_changed{0};
}  // namespace

std::uint64_t SchemaClock::now() noexcept { return schema_now.load(std::memory_order_relaxed); }
std::uint64_t SchemaClock::last_change() noexcept { return schema_changed.load(std::memory_order_relaxed); }
std::uint64_t SchemaClock::tick_alone() noexcept { return schema_now.fetch_add(1, std::memory_order_relaxed) + 1; }

void SchemaClock::tick() noexcept {
    const std::uint64_t time = tick_alone();
    std::uint64_t last = last_change();
    while (last < time && !schema_changed.compare_exchange_weak(last, time, std::memory_order_relaxed)) {
    }
}

bool HeldStatements::touch(std::uint64_t id) {
    const auto found = at_.find(id);
    if (found == at_.end()) return false;
    order_.splice(order_.end(), order_, found->second.at);
    return true;
}

bool HeldStatements::parsed_since(std::uint64_t id, std::uint64_t time) const {
    const auto found = at_.find(id);
    return found != at_.end() && found->second.parsed >= time;
}

void HeldStatements::add(std::uint64_t id, std::uint64_t parsed) {
    if (touch(id)) {
        at_[id].parsed = parsed;
    } else {
        at_[id] = {order_.insert(order_.end(), id), parsed};
    }
}

void HeldStatements::age(std::uint64_t id) {
    const auto found = at_.find(id);
    if (found != at_.end()) found->second.parsed = 0;
}

void HeldStatements::remove(std::uint64_t id) {
    const auto found = at_.find(id);
    if (found == at_.end()) return;
    order_.erase(found->second.at);
    at_.erase(found);
}

void HeldStatements::clear() noexcept {
    order_.clear();
    at_.clear();
}

BackendName::BackendName(std::uint64_t id) noexcept {
    constexpr std::string_view prefix = "lh_";
    char* const digits = std::copy(prefix.begin(), prefix.end(), text_.data());
    length_ = static_cast<std::size_t>(std::to_chars(digits, text_.data() + text_.size(), id).ptr - text_.data());
}

}  // namespace leasehold::postgres
