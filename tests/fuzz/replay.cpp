// SPDX-License-Identifier: Apache-2.0
// Runs a target over files, without a fuzzer, in every ordinary test run:
//   fuzz_replay TARGET PATH...    files, and the files of folders; paths that are not there are passed over
//   fuzz_replay --list
#include "tests/fuzz/target.hpp"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace fs = std::filesystem;
using namespace leasehold::fuzz;

namespace {

std::size_t run_file(const Target& target, const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    const std::vector<char> read{std::istreambuf_iterator<char>(file), {}};
    std::fprintf(stderr, "%s\n", path.c_str());  // the last one is the one that failed
    const Raw exact(read.begin(), read.end());
    target.run(exact);
    return 1;
}

std::size_t run_path(const Target& target, const fs::path& path) {
    if (!fs::is_directory(path)) return fs::exists(path) ? run_file(target, path) : 0;
    std::vector<fs::path> files;
    for (const fs::directory_entry& entry : fs::directory_iterator(path)) files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    std::size_t count = 0;
    for (const fs::path& file : files) count += run_path(target, file);
    return count;
}

}  // namespace

int main(int count, char** words) {
    const std::vector<std::string> arguments(words + 1, words + count);
    if (arguments.size() == 1 && arguments[0] == "--list") {
        for (const Target& target : targets()) std::printf("%.*s\n", int(target.name.size()), target.name.data());
        return 0;
    }
    const auto target = std::find_if(targets().begin(), targets().end(), [&](const Target& known) {
        return !arguments.empty() && known.name == arguments[0];
    });
    if (target == targets().end()) {
        std::fprintf(stderr, "usage: fuzz_replay TARGET PATH... | --list\n");
        return 64;
    }
    fix_randomness();
    target->run({});
    std::size_t files = 0;
    for (std::size_t i = 1; i < arguments.size(); ++i) files += run_path(*target, arguments[i]);
    std::printf("%zu inputs\n", files);
    return files == 0 ? 1 : 0;  // a target without a corpus is not tested
}
