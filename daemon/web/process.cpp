// SPDX-License-Identifier: Apache-2.0
#include "daemon/web/process.hpp"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>
#include <chrono>
#include <ctime>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>

namespace leasehold::daemon::web {
namespace {

double seconds(const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

// proc(5): of /proc/self/stat the 22nd field, counted from the 3rd behind the program's name, which may hold anything.
std::uint64_t started_ticks() {
    std::ifstream file("/proc/self/stat");
    std::string line;
    std::getline(file, line);
    const std::size_t name_end = line.rfind(')');
    if (name_end == std::string::npos) return 0;
    std::istringstream fields(line.substr(name_end + 1));
    std::string field;
    for (int i = 3; i < 22; ++i) fields >> field;
    std::uint64_t ticks = 0;
    fields >> ticks;
    return ticks;
}

// When the process was started does not change, and is worth a steady value however the clock is set meanwhile.
double start_time() {
    static const double value = [] {
        timespec up{}, now{};
        ::clock_gettime(CLOCK_BOOTTIME, &up);
        ::clock_gettime(CLOCK_REALTIME, &now);
        const auto in_seconds = [](const timespec& t) {
            return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
        };
        const double since_boot = static_cast<double>(started_ticks()) / static_cast<double>(::sysconf(_SC_CLK_TCK));
        return in_seconds(now) - in_seconds(up) + since_boot;
    }();
    return value;
}

std::uint64_t count_files() {
    const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir("/proc/self/fd"), &::closedir);
    std::uint64_t count = 0;
    while (folder) {
        const dirent* entry = ::readdir(folder.get());
        if (entry == nullptr) break;
        if (entry->d_name[0] != '.') ++count;
    }
    return count > 0 ? count - 1 : 0;  // less the folder itself
}

}  // namespace

Process read_process() {
    Process process;
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    process.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
    process.start_time = start_time();
    std::uint64_t pages = 0, resident = 0;
    std::ifstream("/proc/self/statm") >> pages >> resident;
    const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    process.virtual_bytes = pages * page;
    process.resident_bytes = resident * page;
    process.open_files = count_files();
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur != RLIM_INFINITY) process.max_files = limit.rlim_cur;
    return process;
}

}  // namespace leasehold::daemon::web
