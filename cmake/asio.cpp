// SPDX-License-Identifier: Apache-2.0
// Asio's implementation, compiled once. Nothing of leasehold lives here.
#include <boost/asio/impl/src.hpp>
