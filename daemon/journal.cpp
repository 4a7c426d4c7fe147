// SPDX-License-Identifier: Apache-2.0
#include "daemon/journal.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace leasehold::daemon {
namespace {

constexpr std::string_view head = "backend 1\t";

template <class T>
bool number(std::string_view text, T& value) noexcept {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

bool plain(const std::string& text) noexcept {
    return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) >= 0x20; });
}

}  // namespace

std::string render(const OpenBackend& backend) {
    if (!plain(backend.pool) || !plain(backend.user) || !plain(backend.address)) return {};
    std::string text(head);
    text += backend.pool + '\t' + backend.user + '\t' + backend.address + '\t' + std::to_string(backend.server_id) +
            '\t' + std::to_string(backend.port) + '\t' + std::to_string(backend.since) + '\n';
    if (text.size() > BackendJournal::place_bytes) return {};
    text.resize(BackendJournal::place_bytes, '\0');
    return text;
}

std::vector<OpenBackend> parse_journal(std::string_view text) {
    std::vector<OpenBackend> all;
    for (std::size_t at = 0; at + BackendJournal::place_bytes <= text.size(); at += BackendJournal::place_bytes) {
        std::string_view rest = text.substr(at, BackendJournal::place_bytes);
        const std::size_t end = rest.find('\n');
        if (!rest.starts_with(head) || end == std::string_view::npos) continue;
        rest = rest.substr(head.size(), end - head.size());
        std::vector<std::string_view> fields;
        for (std::size_t tab = rest.find('\t'); tab != std::string_view::npos; tab = rest.find('\t')) {
            fields.push_back(rest.substr(0, tab));
            rest.remove_prefix(tab + 1);
        }
        fields.push_back(rest);
        OpenBackend backend;
        if (fields.size() != 6 || !number(fields[3], backend.server_id) || !number(fields[4], backend.port) ||
            !number(fields[5], backend.since)) {
            continue;
        }
        backend.pool = fields[0];
        backend.user = fields[1];
        backend.address = fields[2];
        all.push_back(std::move(backend));
    }
    return all;
}

BackendJournal::BackendJournal(const std::string& path) {
    if (path.empty()) return;
    open(path);
    if (file_ >= 0) writer_ = std::thread([this] { write_on(); });
}

BackendJournal::~BackendJournal() {
    {
        const std::lock_guard lock(mutex_);
        over_ = true;
    }
    news_.notify_one();
    if (writer_.joinable()) writer_.join();
    if (file_ >= 0) ::close(file_);
}

void BackendJournal::open(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    struct stat status {};
    const bool ours = file >= 0 && ::fstat(file, &status) == 0 && S_ISREG(status.st_mode) &&
                      status.st_uid == ::geteuid() && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
    if (file < 0) {
        problem_ = path + ": " + std::strerror(errno);
    } else if (!ours) {
        problem_ = path + ": is no file of leasehold's own";
    } else if (::flock(file, LOCK_EX | LOCK_NB) != 0) {
        problem_ = path + ": another leasehold has it";
    }
    if (!problem_.empty()) {
        if (file >= 0) ::close(file);
        return;
    }
    std::string text(std::min(static_cast<std::size_t>(status.st_size), most_places * place_bytes), '\0');
    std::size_t got = 0;
    while (got < text.size()) {
        const ssize_t size = ::pread(file, text.data() + got, text.size() - got, static_cast<off_t>(got));
        if (size < 0 && errno == EINTR) continue;
        if (size <= 0) break;
        got += static_cast<std::size_t>(size);
    }
    text.resize(got);
    found_ = parse_journal(text);
    (void)::ftruncate(file, 0);
    file_ = file;
}

BackendJournal::Place BackendJournal::add(const OpenBackend& backend) {
    if (file_ < 0) return nowhere;
    std::string text = render(backend);
    if (text.empty()) return nowhere;
    Place place = nowhere;
    {
        const std::lock_guard lock(mutex_);
        if (!free_.empty()) {
            place = free_.back();
            free_.pop_back();
        } else if (next_ < most_places) {
            place = next_++;
        } else {
            return nowhere;
        }
        unwritten_[place] = std::move(text);
    }
    news_.notify_one();
    return place;
}

void BackendJournal::remove(Place place) {
    if (place == nowhere) return;
    {
        const std::lock_guard lock(mutex_);
        unwritten_[place] = std::string(place_bytes, '\0');
        free_.push_back(place);
    }
    news_.notify_one();
}

// A disk that takes nothing costs the next start its knowledge, and nobody anything now.
void BackendJournal::write_on() {
    std::unique_lock lock(mutex_);
    for (;;) {
        news_.wait(lock, [this] { return over_ || !unwritten_.empty(); });
        if (unwritten_.empty()) return;
        const std::map<Place, std::string> now = std::exchange(unwritten_, {});
        lock.unlock();
        for (const auto& [place, text] : now) {
            (void)!::pwrite(file_, text.data(), text.size(), static_cast<off_t>(place * place_bytes));
        }
        lock.lock();
    }
}

std::string journal_path(const std::string& control_socket) {
    const char* given = std::getenv("STATE_DIRECTORY");
    const std::string_view folders = given == nullptr ? std::string_view() : std::string_view(given);
    const std::string_view folder = folders.substr(0, folders.find(':'));
    if (folder.starts_with('/')) return std::string(folder) + "/backends";
    return control_socket.starts_with('/') ? control_socket + ".backends" : std::string();
}

}  // namespace leasehold::daemon
