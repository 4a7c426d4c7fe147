// SPDX-License-Identifier: Apache-2.0
// What a client asks of its tracker that only the daemon can carry out, because it concerns other sessions or the login.
// A plain value: the tracker describes it, the session does it, and the tracker tells the client how it went.
#pragma once

#include <cstdint>
#include <string>

namespace leasehold::wire {

struct Errand {
    enum class Kind : std::uint8_t {
        cancel,        // ends what the session `number` runs or waits for; nothing, if that is nothing
        kill,          // ends the session `number`
        log_in_again,  // the connection begins a session anew; `request` is what the client sent
        listen,    // the ear is to hear the channel `request`: listener()->ready() is called before it is carried out
        catch_up,  // all that was announced so far is to be heard first
    };
    Kind kind = Kind::cancel;
    std::uint32_t number = 0;  // as clients know sessions: the id of dialects::CancelKey
    std::string request;       // bytes
};

}  // namespace leasehold::wire
