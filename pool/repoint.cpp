// SPDX-License-Identifier: Apache-2.0
// A pool that goes on with another server: what is left of the old one is closed as soon as nobody needs it any more.
#include "pool/impl.hpp"

namespace leasehold::pool {

void Pool::repoint(std::shared_ptr<Connector> connector, std::shared_ptr<Quota> server) {
    Impl& impl = *impl_;
    impl.moved_mark = ++impl.generation;
    impl.drop_idle(CloseReason::repointed);
    // A commit has to be heard and the ladder has a statement to end; nobody needs the others.
    for (std::size_t i = impl.coming.size(); i-- > 0;) {
        Entry& entry = *impl.coming[i];
        if (entry.state != Entry::State::finishing) impl.drop(entry, CloseReason::repointed);
    }
    impl.follow(std::move(server));
    impl.connector = std::move(connector);
    // What the old server said tells nothing of the new one.
    impl.refusals.clear();
    impl.backoff = Duration(0);
    impl.dial_after = {};
    impl.last_error.clear();
    impl.serve(impl.now());
}

}  // namespace leasehold::pool
