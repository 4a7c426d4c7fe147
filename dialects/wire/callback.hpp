// SPDX-License-Identifier: Apache-2.0
// A move-only void() callable that keeps small callables in place: what a transport calls when its socket is ready.
#pragma once

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

namespace leasehold::wire {

class Callback {
  public:
    Callback() noexcept = default;
    template <class F>
    requires(!std::is_same_v<std::decay_t<F>, Callback> && std::is_invocable_v<std::decay_t<F>&>)
        Callback(F&& f) {  // NOLINT(google-explicit-constructor): lambdas are passed as they are
        using Stored = std::decay_t<F>;
        if constexpr (sizeof(Stored) <= sizeof(storage_) && std::is_nothrow_move_constructible_v<Stored>) {
            ::new (static_cast<void*>(storage_)) Stored(std::forward<F>(f));
            table_ = &local_table<Stored>;
        } else {
            ::new (static_cast<void*>(storage_)) Stored*(new Stored(std::forward<F>(f)));
            table_ = &heap_table<Stored>;
        }
    }
    Callback(Callback&& other) noexcept { take(other); }
    Callback& operator=(Callback&& other) noexcept {
        if (this != &other) {
            reset();
            take(other);
        }
        return *this;
    }
    ~Callback() { reset(); }

    explicit operator bool() const noexcept { return table_ != nullptr; }
    void operator()() { table_->call(storage_); }
    void reset() noexcept {
        if (table_ != nullptr) std::exchange(table_, nullptr)->destroy(storage_);
    }

  private:
    struct Table {
        void (*call)(void*);
        void (*move)(void* from, void* to) noexcept;  // leaves `from` destroyed
        void (*destroy)(void*) noexcept;
    };
    template <class T>
    static constexpr Table local_table{
        [](void* p) { (*static_cast<T*>(p))(); },
        [](void* from, void* to) noexcept {
            ::new (to) T(std::move(*static_cast<T*>(from)));
            static_cast<T*>(from)->~T();
        },
        [](void* p) noexcept { static_cast<T*>(p)->~T(); },
    };
    template <class T>
    static constexpr Table heap_table{
        [](void* p) { (**static_cast<T**>(p))(); },
        [](void* from, void* to) noexcept { ::new (to) T*(*static_cast<T**>(from)); },
        [](void* p) noexcept { delete *static_cast<T**>(p); },
    };

    void take(Callback& other) noexcept {
        if (other.table_ == nullptr) return;
        other.table_->move(other.storage_, storage_);
        table_ = std::exchange(other.table_, nullptr);
    }

    alignas(std::max_align_t) std::byte storage_[48];
    const Table* table_ = nullptr;
};

}  // namespace leasehold::wire
