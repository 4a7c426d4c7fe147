// SPDX-License-Identifier: Apache-2.0
// Prepared statements' texts, shared by all sessions of a worker. Equal texts that were read alike are one, under a
// number that names it on every backend. One worker's thread only.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <unordered_map>
#include <utility>

namespace leasehold::wire {

template <class Text>
class TextCache;
template <class Text>
class TextRef;

// What a dialect's text derives from: `struct Text : CachedText<Text>`, with
//   Key                  what makes it this text and no other: views, with ==, hash(), and size(), what a copy costs
//   Text(const Key&)     copies it
//   Key key() const      views of its own copy
template <class Text>
struct CachedText {
    std::uint64_t id = 0;  // in the whole process: a backend may come to another worker with the texts it holds
    bool kept = false;     // false: too long to be kept; its session stays on the backend that has it

  private:
    friend class TextCache<Text>;
    std::size_t users_ = 0;
    typename std::list<Text*>::iterator idle_{};
};

// A counted reference; not atomic.
template <class Text>
class TextRef {
  public:
    TextRef() noexcept = default;
    TextRef(TextCache<Text>& cache, Text& text) noexcept : cache_(&cache), text_(&text) { cache.use(text); }
    TextRef(const TextRef&) = delete;
    TextRef& operator=(const TextRef&) = delete;
    TextRef(TextRef&& other) noexcept
        : cache_(std::exchange(other.cache_, nullptr)), text_(std::exchange(other.text_, nullptr)) {}
    TextRef& operator=(TextRef&& other) noexcept {
        if (this != &other) {
            release();
            cache_ = std::exchange(other.cache_, nullptr);
            text_ = std::exchange(other.text_, nullptr);
        }
        return *this;
    }
    ~TextRef() { release(); }

    // Another reference to the same.
    [[nodiscard]] TextRef share() const noexcept { return text_ == nullptr ? TextRef() : TextRef(*cache_, *text_); }
    [[nodiscard]] explicit operator bool() const noexcept { return text_ != nullptr; }
    [[nodiscard]] const Text& operator*() const noexcept { return *text_; }
    [[nodiscard]] const Text* operator->() const noexcept { return text_; }

  private:
    void release() noexcept {
        if (text_ != nullptr) cache_->unuse(*text_);
        text_ = nullptr;
    }
    TextCache<Text>* cache_ = nullptr;
    Text* text_ = nullptr;
};

// Texts by content, compared in full. Those that no session names any more are kept while there is room, for the next
// client that comes with the same program; the longest unused goes first.
template <class Text>
class TextCache {
  public:
    using Key = typename Text::Key;
    using Ref = TextRef<Text>;

    explicit TextCache(std::size_t max_bytes) noexcept : max_bytes_(max_bytes) {}
    TextCache(const TextCache&) = delete;
    TextCache& operator=(const TextCache&) = delete;

    // This thread's; lives as long as a session holds it. `max_bytes` counts when it is made.
    [[nodiscard]] static std::shared_ptr<TextCache> local(std::size_t max_bytes) {
        thread_local std::weak_ptr<TextCache> current;
        std::shared_ptr<TextCache> cache = current.lock();
        if (!cache) {
            cache = std::make_shared<TextCache>(max_bytes);
            current = cache;
        }
        return cache;
    }

    // Nothing: no room. `fill` gives a text that was not known what it means.
    template <class Fill>
    [[nodiscard]] Ref intern(const Key& key, Fill&& fill) {
        if (const auto known = texts_.find(key); known != texts_.end()) return {*this, *known->second};
        Text* const added = add(key);
        if (added == nullptr) return {};
        Ref ref(*this, *added);
        fill(*added);
        return ref;
    }
    [[nodiscard]] Ref intern(const Key& key) {
        return intern(key, [](Text&) {});
    }
    // A text of its own that is not kept.
    template <class Fill>
    [[nodiscard]] Ref unkept(Fill&& fill) {
        Text* const made = make(Key{}).release();  // freed with its last reference
        Ref ref(*this, *made);
        fill(*made);
        return ref;
    }

    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
    [[nodiscard]] std::size_t size() const noexcept { return texts_.size(); }

  private:
    friend Ref;
    struct Hash {
        std::size_t operator()(const Key& key) const noexcept { return key.hash(); }
    };
    // Beside its bytes, roughly: node, list node, what it means.
    [[nodiscard]] static std::size_t cost_of(const Key& key) noexcept { return key.size() + sizeof(Text) + 96; }

    [[nodiscard]] static std::unique_ptr<Text> make(const Key& key) {
        auto text = std::make_unique<Text>(key);
        text->id = ++last_id_;
        return text;
    }
    // Out of the way of those that find theirs.
    [[gnu::noinline]] [[nodiscard]] Text* add(const Key& key) {
        const std::size_t cost = cost_of(key);
        while (bytes_ + cost > max_bytes_ && !idle_.empty()) drop(*idle_.front());
        if (bytes_ + cost > max_bytes_) return nullptr;
        std::unique_ptr<Text> made = make(key);
        made->kept = true;
        made->idle_ = idle_.insert(idle_.end(), made.get());
        Text* const added = made.get();
        texts_.emplace(added->key(), std::move(made));
        bytes_ += cost;
        return added;
    }
    void use(Text& text) noexcept {
        if (text.users_++ == 0 && text.kept) idle_.erase(text.idle_);
    }
    void unuse(Text& text) noexcept {
        if (--text.users_ != 0) return;
        if (text.kept) {
            text.idle_ = idle_.insert(idle_.end(), &text);
        } else {
            delete &text;
        }
    }
    void drop(Text& text) noexcept {
        idle_.erase(text.idle_);
        bytes_ -= cost_of(text.key());
        texts_.erase(text.key());
    }

    inline static std::atomic<std::uint64_t> last_id_{0};
    std::size_t max_bytes_;
    std::size_t bytes_ = 0;
    std::unordered_map<Key, std::unique_ptr<Text>, Hash> texts_;
    std::list<Text*> idle_;  // longest unused first
};

}  // namespace leasehold::wire
