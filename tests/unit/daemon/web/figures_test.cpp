// SPDX-License-Identifier: Apache-2.0
#include "daemon/web/figures.hpp"

#include "daemon/worker.hpp"

#include <boost/asio/io_context.hpp>

#include <gtest/gtest.h>

namespace leasehold::daemon::web {
namespace {

using namespace std::chrono_literals;

// Two workers, of which only those run that a test starts.
class SamplerTest : public testing::Test {
  protected:
    SamplerTest() { shared.workers = {&one, &two}; }
    ~SamplerTest() override {
        for (Worker* worker : shared.workers) {
            worker->stop();
            worker->join();
        }
    }
    void take() {
        sampler.take([this](const Figures& figures) { missing.push_back(figures.missing); });
    }
    void run(std::size_t until) {
        const auto limit = std::chrono::steady_clock::now() + 20s;
        while (missing.size() < until && std::chrono::steady_clock::now() < limit) {
            loop.restart();
            loop.run_for(10ms);
        }
    }

    boost::asio::io_context loop;
    metrics::Registry registry{2};
    Shared shared{registry};
    Worker one{shared, 0}, two{shared, 1};
    Sampler sampler{loop.get_executor(), shared, 100ms};
    std::vector<std::vector<int>> missing;
};

TEST_F(SamplerTest, NamesTheWorkerThatDoesNotAnswerAndGoesOnWithoutIt) {
    one.start();
    take();
    run(1);
    ASSERT_EQ(missing.size(), 1u);
    EXPECT_EQ(missing.back(), std::vector<int>{1});
    take();
    run(2);
    ASSERT_EQ(missing.size(), 2u);
    EXPECT_EQ(missing.back(), std::vector<int>{1});
    two.start();
    for (std::size_t i = 3; i < 100 && !missing.back().empty(); ++i) {
        take();
        run(i);
    }
    EXPECT_EQ(missing.back(), std::vector<int>{});
}

TEST_F(SamplerTest, ServesEverybodyWhoAsksAtOnce) {
    one.start();
    two.start();
    for (int i = 0; i < 100; ++i) take();
    run(100);
    EXPECT_EQ(missing, std::vector<std::vector<int>>(100));
}

TEST_F(SamplerTest, LetsWhoIsServedAskAgain) {
    one.start();
    two.start();
    int asked = 0;
    std::function<void(const Figures&)> again = [&](const Figures& figures) {
        missing.push_back(figures.missing);
        if (++asked < 3) sampler.take(again);
    };
    sampler.take(again);
    run(3);
    EXPECT_EQ(missing.size(), 3u);
}

}  // namespace
}  // namespace leasehold::daemon::web
