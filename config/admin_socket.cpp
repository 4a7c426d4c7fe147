// SPDX-License-Identifier: Apache-2.0
#include "config/admin_socket.hpp"

#include "config/findings.hpp"
#include "config/secrets.hpp"

#include <yaml-cpp/yaml.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

namespace leasehold::config {
namespace {

// The first of that name: a file with two is refused by the daemon.
YAML::Node below(const YAML::Node& map, std::string_view name) {
    if (!map.IsMap()) return YAML::Node(YAML::NodeType::Undefined);
    for (const auto& pair : map) {
        if (pair.first.IsScalar() && pair.first.Scalar() == name) return pair.second;
    }
    return YAML::Node(YAML::NodeType::Undefined);
}

}  // namespace

AdminSocket read_admin_socket(const std::string& path) {
    AdminSocket out;
    errno = 0;
    std::ifstream in(path, std::ios::binary);
    std::ostringstream text;
    if (!in || !(text << in.rdbuf())) {
        const int error = errno != 0 ? errno : EIO;
        out.missing = error == ENOENT;
        out.problem = std::strerror(error);
        return out;
    }
    try {
        const YAML::Node node = below(below(YAML::Load(text.str()), "admin"), "socket");
        if (!node || !node.IsScalar()) return out;
        Expanded expanded = expand(node.Scalar(), Secrets::system());
        if (expanded.errors.empty())
            out.value = std::move(expanded.text);
        else
            out.problem = "admin.socket: " + expanded.errors.front();
    } catch (const YAML::Exception& error) {
        out.problem = "no valid YAML: " + printable(error.msg);
    }
    return out;
}

}  // namespace leasehold::config
