// SPDX-License-Identifier: Apache-2.0
// `leasehold reference`: what leasehold knows of itself, in the form that was asked for.
#include "cmd/leasehold/reference/reference.hpp"
#include "cmd/leasehold/commands.hpp"

#include <unistd.h>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>

namespace leasehold::cmd {

int print(const std::string& text) {
    std::cout.flush();
    for (std::size_t at = 0; at < text.size();) {
        const ssize_t written = ::write(STDOUT_FILENO, text.data() + at, text.size() - at);
        if (written >= 0) {
            at += static_cast<std::size_t>(written);
        } else if (errno == EPIPE) {
            return exit_ok;
        } else if (errno != EINTR) {
            std::cerr << "leasehold: the output cannot be written: " << std::strerror(errno) << '\n';
            return exit_output;
        }
    }
    return exit_ok;
}

int reference(const ReferenceOptions& options, const Usage& program) {
    std::string text;
    if (options.format == "markdown")
        text = reference_markdown(program);
    else if (options.format == "schema")
        text = reference_schema();
    else if (options.format == "example")
        text = reference_example();
    else if (options.format == "leasehold.1")
        text = reference_program_manual(program);
    else
        text = reference_file_manual();
    if (options.output.empty()) return print(text);
    std::ofstream out(options.output, std::ios::binary | std::ios::trunc);
    if (out << text && out.flush()) return exit_ok;
    std::cerr << "leasehold: " << options.output << " cannot be written: " << std::strerror(errno) << '\n';
    return exit_output;
}

}  // namespace leasehold::cmd
