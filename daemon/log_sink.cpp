// SPDX-License-Identifier: Apache-2.0
#include "daemon/log_sink.hpp"

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace leasehold::daemon {
namespace {

constexpr std::size_t written_at_once = 64 * 1024;
constexpr std::size_t max_field_name = 64;  // the journal's limit

// syslog's priorities, which sd-daemon(3) and the journal share.
char priority_of(LogLevel level) noexcept {
    switch (level) {
        case LogLevel::trace:
        case LogLevel::debug: return '7';
        case LogLevel::info: return '6';
        case LogLevel::warn: return '4';
        case LogLevel::error: return '3';
    }
    return '6';
}

// systemd.exec(5): the device and inode of the stream that systemd connected to the journal, stderr's if both are.
bool connected_to_journal(int descriptor) noexcept {
    const char* const stream = std::getenv("JOURNAL_STREAM");
    if (stream == nullptr) return false;
    unsigned long long device = 0;
    unsigned long long inode = 0;
    struct stat status {};
    return std::sscanf(stream, "%llu:%llu", &device, &inode) == 2 && ::fstat(descriptor, &status) == 0 &&
           status.st_dev == device && status.st_ino == inode;
}

// All of it, however often that has to be tried; errno's value, 0: done. `*done` counts.
int write_all(int descriptor, std::string_view text, std::size_t* done) {
    *done = 0;
    while (*done < text.size()) {
        const ssize_t n = ::write(descriptor, text.data() + *done, text.size() - *done);
        if (n >= 0) {
            *done += static_cast<std::size_t>(n);
        } else if (errno == EAGAIN) {
            pollfd ready{descriptor, POLLOUT, 0};
            (void)::poll(&ready, 1, -1);
        } else if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

class StreamSink : public LogSink {
  public:
    StreamSink(int descriptor, LogForm form, std::string name)
        : descriptor_(descriptor), form_(form), name_(std::move(name)) {}

    Written write(std::span<const LogLine> lines) override {
        std::string text;
        std::size_t from = 0;
        for (std::size_t i = 0; i < lines.size(); ++i) {
            text += render(lines[i], form_);
            text += '\n';
            if (text.size() < written_at_once && i + 1 < lines.size()) continue;
            if (torn_) text.insert(0, 1, '\n');
            std::size_t done = 0;
            const int error = write_all(descriptor_, text, &done);
            // A line that was cut short must not swallow the next one's beginning.
            torn_ = error != 0 && (done == 0 ? torn_ : text[done - 1] != '\n');
            if (error != 0) return {"cannot write to " + name_ + ": " + std::strerror(error), lines.size() - from};
            text.clear();
            from = i + 1;
        }
        return {};
    }

  protected:
    int descriptor_;

  private:
    LogForm form_;
    std::string name_;
    bool torn_ = false;
};

// A file that is looked for again before every write: when it was moved or removed, a new one is begun in its place.
class FileSink final : public StreamSink {
  public:
    FileSink(int descriptor, LogForm form, const std::string& path) : StreamSink(descriptor, form, path), path_(path) {}
    ~FileSink() override { ::close(descriptor_); }

    static int open(const std::string& path) noexcept {
        // A pipe that nobody reads is refused instead of waited for.
        const int descriptor =
            ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
        if (descriptor >= 0) (void)::fcntl(descriptor, F_SETFL, O_APPEND);
        return descriptor;
    }

    Written write(std::span<const LogLine> lines) override {
        struct stat there {
        }, ours{};
        const bool same = ::stat(path_.c_str(), &there) == 0 && ::fstat(descriptor_, &ours) == 0 &&
                          there.st_dev == ours.st_dev && there.st_ino == ours.st_ino;
        std::string problem;
        if (!same) {
            const int fresh = open(path_);
            if (fresh >= 0) {
                ::close(std::exchange(descriptor_, fresh));
            } else {
                problem = "cannot begin " + path_ + " anew, the old file is written on: " + std::strerror(errno);
            }
        }
        Written written = StreamSink::write(lines);
        if (written.problem.empty()) written.problem = std::move(problem);
        return written;
    }

  private:
    std::string path_;
};

class JournalSink final : public LogSink {
  public:
    explicit JournalSink(bool json) : json_(json) {}

    Written write(std::span<const LogLine> lines) override {
        Written written;
        for (const LogLine& line : lines) {
            const std::vector<std::string> fields = journal_fields(line, json_);
            std::vector<iovec> parts;
            parts.reserve(fields.size());
            for (const std::string& field : fields) parts.push_back({const_cast<char*>(field.data()), field.size()});
            const int result = ::sd_journal_sendv(parts.data(), static_cast<int>(parts.size()));
            if (result >= 0) continue;
            written.problem = std::string("cannot write to the journal: ") + std::strerror(-result);
            ++written.lost;
        }
        return written;
    }

  private:
    bool json_;
};

// Empty: somebody takes entries there.
std::string journal_trouble() {
    const int probe = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (probe < 0) return std::strerror(errno);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, journal_socket, sizeof address.sun_path - 1);
    const bool taken = ::connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    const int error = errno;
    ::close(probe);
    return taken ? std::string() : std::string(journal_socket) + ": " + std::strerror(error);
}

std::string journal_name(std::string_view key) {
    std::string name = "LEASEHOLD_";
    for (const char c : key) {
        const bool fits = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        name += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : fits ? c : '_';
    }
    return name.substr(0, max_field_name);
}

}  // namespace

std::string render(const LogLine& line, LogForm form) {
    switch (form) {
        case LogForm::json: return render_json(line);
        case LogForm::prefixed: return std::string({'<', priority_of(line.level), '>'}) + render_text(line, false);
        case LogForm::text: break;
    }
    return render_text(line);
}

std::vector<std::string> journal_fields(const LogLine& line, bool json) {
    std::vector<std::string> fields;
    fields.reserve(line.fields.size() + 5);
    fields.push_back("MESSAGE=" + (json ? render_json(line) : render_message(line)));
    fields.push_back(std::string("PRIORITY=") + priority_of(line.level));
    fields.emplace_back("SYSLOG_IDENTIFIER=leasehold");
    fields.push_back("LEASEHOLD_EVENT=" + line.event);
    for (const LogLine::Field& field : line.fields) fields.push_back(journal_name(field.key) + '=' + field.value);
    if (line.repeated > 0) fields.push_back("LEASEHOLD_REPEATED=" + std::to_string(line.repeated));
    return fields;
}

LogForm stderr_form(const config::Log& settings) noexcept {
    if (settings.format == config::LogFormat::json) return LogForm::json;
    const bool read_by_journal = settings.target != config::LogTarget::file && connected_to_journal(STDERR_FILENO);
    return read_by_journal ? LogForm::prefixed : LogForm::text;
}

OpenedLog open_log(const config::Log& settings) {
    const bool json = settings.format == config::LogFormat::json;
    if (settings.target == config::LogTarget::file) {
        const int descriptor = FileSink::open(settings.file);
        if (descriptor < 0) {
            return {nullptr, "cannot write the log to " + settings.file + ": " + std::strerror(errno) +
                                 " (log.target; its folder must exist and be writable by the user leasehold runs as)"};
        }
        const LogForm form = json ? LogForm::json : LogForm::text;
        return {std::make_unique<FileSink>(descriptor, form, settings.file), {}};
    }
    const bool wanted = settings.target == config::LogTarget::journal;
    const bool offered = settings.target == config::LogTarget::automatic &&
                         (connected_to_journal(STDERR_FILENO) || connected_to_journal(STDOUT_FILENO));
    if (wanted || offered) {
        const std::string trouble = journal_trouble();
        if (trouble.empty()) return {std::make_unique<JournalSink>(json), {}};
        if (wanted) {
            return {nullptr, "log.target is journal, and there is none to be reached: " + trouble +
                                 "; write `target: stderr` or a file's path, or `auto` for the journal where there is "
                                 "one"};
        }
    }
    // The journal may read stderr although its socket cannot be seen from here, within a chroot say.
    return {std::make_unique<StreamSink>(STDERR_FILENO, stderr_form(settings), "stderr"), {}};
}

}  // namespace leasehold::daemon
