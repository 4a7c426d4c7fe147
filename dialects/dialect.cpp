// SPDX-License-Identifier: Apache-2.0
#include "dialects/dialect.hpp"

namespace leasehold::dialects {

awaitable<Backend::Tried> Backend::try_login(const Login&, pool::Deadline) { co_return Tried{}; }

}  // namespace leasehold::dialects
