// SPDX-License-Identifier: Apache-2.0
// What a session's text does not tell, as far as it is known of one lease: functions that are to be looked at, settings that
// the server reported unasked, and what was found. A plain value.
#pragma once

#include "dialects/wire/known_functions.hpp"
#include "dialects/wire/tracker.hpp"

#include <string>
#include <vector>

namespace leasehold::postgres {

struct Hidden {
    static constexpr std::size_t most = 64;  // of each
    // Names of functions, and of custom settings (a.b) that the text names beside them.
    struct Suspects {
        std::vector<std::string> functions{}, customs{};
    };

    Suspects suspects{};                     // called since the backend was asked last
    std::vector<std::string> unannounced{};  // settings that the server reported
    std::vector<wire::Leak> leaks{};
    bool sets = false;       // a text of this lease has set something
    bool undone = false;     // something was rolled back: that nothing is found proves nothing
    bool sure = false;       // what is found, this lease has made: not only by a sample is it looked at
    bool untrusted = false;  // called: a function that has not been seen to be clean often enough
    bool routines = false;   // its transaction has replaced functions
    bool adopted = false;    // the session has settings that a function made: that another call makes them is not seen

    void begin() noexcept {
        answered();
        sets = false;
    }
    void answered() noexcept {
        suspects = {};
        unannounced.clear();
        undone = sure = untrusted = false;
    }
};

}  // namespace leasehold::postgres
