// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dialects/wire/tls.hpp"

namespace leasehold::wire {

class TlsStream {};

}  // namespace leasehold::wire
