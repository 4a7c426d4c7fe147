// SPDX-License-Identifier: Apache-2.0
#include "daemon/web/console.hpp"

#include "daemon/web/json.hpp"

#include <boost/asio/post.hpp>

#include <unistd.h>
#include <atomic>
#include <memory>

namespace leasehold::daemon::web {
namespace {

constexpr int at_once = 16;  // commands that run: the socket keeps places for others

}  // namespace

admin::Permission permission_of(std::optional<std::uint32_t> uid, std::uint32_t own) noexcept {
    return uid && (*uid == 0 || *uid == own) ? admin::Permission::administer : admin::Permission::read;
}

Route console_route(wire::Executor loop, const admin::Console& console) {
    Route route{"/console", Method::post, true, true, {}};
    route.serve = [loop, &console, running = std::make_shared<std::atomic<int>>(0)](const Request& request,
                                                                                    const Respond& respond) {
        if (running->fetch_add(1) >= at_once) {
            --*running;
            return respond(to_json(admin::Answer::failed("53300", 1040, "too many console commands run at once")));
        }
        // A command goes on when its client has gone: what it did is not undone by that.
        admin::Caller caller;
        caller.permission = permission_of(request.uid, ::geteuid());
        caller.name = request.uid ? "uid " + std::to_string(*request.uid) : "http";
        console.execute(request.body, caller, [loop, running, respond](admin::Answer answer) {
            --*running;
            // A worker that answers has better things to do than to write JSON.
            boost::asio::post(loop, [respond, answer = std::move(answer)] { respond(to_json(answer)); });
        });
    };
    return route;
}

}  // namespace leasehold::daemon::web
