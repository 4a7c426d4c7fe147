// SPDX-License-Identifier: Apache-2.0
// Who is admitted, and how that is proven: from the listener's rules, what is known of the user, and what the connection
// itself tells, to the credential that the dialect then verifies. Decides only; asks nobody and logs nothing.
#pragma once

#include "config/model.hpp"
#include "dialects/dialect.hpp"

#include <optional>
#include <string>

namespace leasehold::daemon {

// What the configuration says of a user on the pool that is asked for.
struct Account {
    bool known = false;
    std::optional<std::string> secret;  // none: no password admits this user; nor does an empty one, but for MySQL
};

// What a connection tells of its client, whatever the client says.
struct Identity {
    bool local = false;       // over a unix socket
    std::string system_user;  // then: whose process it is; empty: not asked for, or the system has no name for it
};

struct Admission {
    dialects::Credential credential;
    std::string hint;  // why it was refused, for the log alone: it may say what the client must not learn
};

// The method that a listener's `auth` means for such a connection; never `automatic` where it decides who is asked.
[[nodiscard]] config::AuthMethod method_for(const config::Listen& listen, bool local) noexcept;

[[nodiscard]] Admission admit(const config::Listen& listen, const Account& account,
                              const dialects::LoginRequest& request, const Identity& identity);

// Who runs the process at the other end of a unix socket, as the kernel noted when it connected; none: not a unix socket.
[[nodiscard]] std::optional<unsigned> peer_of(int descriptor) noexcept;
// The name of a user id; empty: it has none. May ask a directory over the network: never call it on a worker.
[[nodiscard]] std::string system_user_name(unsigned id);

}  // namespace leasehold::daemon
