// SPDX-License-Identifier: Apache-2.0
#include "cmd/leasehold/usage.hpp"

#include <array>

namespace leasehold::cmd {
namespace {

constexpr std::array exits{
    Remark{"0", "all went well"},
    Remark{"1", "the daemon refused the command, or could not do it"},
    Remark{"64", "wrong usage"},
    Remark{"69", "the daemon, a server or an address is not available"},
    Remark{"74", "the output could not be written"},
    Remark{"77", "not permitted"},
    Remark{"78", "wrong configuration"},
};

constexpr std::array daemon_signals{
    Remark{"SIGTERM, SIGINT",
           "drain: no new lease, running transactions finish within drain_timeout, then it ends; "
           "a second one ends it at once"},
    Remark{"SIGHUP", "reload the configuration, certificates included; a file with a problem changes nothing"},
};

constexpr std::array variables{
    Remark{"LEASEHOLD_SOCKET", "the control socket, where --socket does not name one"},
    Remark{"CREDENTIALS_DIRECTORY", "where `!credential` looks, set by systemd"},
    Remark{"RUNTIME_DIRECTORY", "where the control socket is made, set by systemd"},
    Remark{"STATE_DIRECTORY", "where the daemon keeps what servers said of themselves, set by systemd"},
    Remark{"COLUMNS", "how wide tables may be on a terminal, where the terminal does not say it"},
};

constexpr std::array places{
    Remark{"/etc/leasehold/leasehold.yaml", "the configuration, leasehold.yaml(5)"},
    Remark{"/run/leasehold/control.sock", "the control socket, unless admin.socket names another"},
};

}  // namespace

std::span<const Remark> exit_codes() { return exits; }
std::span<const Remark> signals() { return daemon_signals; }
std::span<const Remark> environment() { return variables; }
std::span<const Remark> files() { return places; }

}  // namespace leasehold::cmd
