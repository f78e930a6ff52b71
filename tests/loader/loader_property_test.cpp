// What the loader promises, for sets, batches, threads, ends and bad pictures drawn at random. More
// cases: RC_PARAMS="max_success=10000" build/bin/test_loader --gtest_filter='LoaderProperty*'
#include <rapidcheck.h>

#include <algorithm>

#include "fcm/loader/loader.h"
#include "tests/loader/support.h"

namespace fcm::loader {
namespace {

// One sample of a batch, with all that may depend on it.
struct Seen {
  int64_t epoch, sample, label, substitute;
  std::string reason;
  std::vector<uint8_t> pixels;
  bool operator==(const Seen&) const = default;
};

void add(const Batch& batch, std::vector<Seen>& seen) {
  const auto bytes = static_cast<size_t>(batch.rows * batch.cols * batch.channels);
  size_t bad = 0;
  for (size_t i = 0; i < batch.sample_ids.size(); ++i) {
    const auto* const pixels = batch.pixels_BHWC.data() + i * bytes;
    Seen one{batch.epoch, batch.sample_ids[i], batch.labels[i], -1, "", {pixels, pixels + bytes}};
    if (bad < batch.bad.size() && batch.bad[bad].sample == one.sample) {
      one.substitute = batch.bad[bad].substitute;
      one.reason = batch.bad[bad++].reason;
    }
    seen.push_back(std::move(one));
  }
  RC_ASSERT(bad == batch.bad.size());
}

struct Case {
  std::shared_ptr<const Dataset> dataset;
  DataOptions options = test::small_options(4);
  uint64_t seed = 0;
};

// Up to a fifth of the pictures cannot be read.
Case some_case(int64_t size) {
  std::set<int64_t> bad;
  for (int64_t i = *rc::gen::inRange<int64_t>(0, size / 5 + 1); i > 0; --i) {
    bad.insert(*rc::gen::inRange<int64_t>(0, size));
  }
  Case drawn;
  drawn.dataset = std::make_shared<test::FakeDataset>(size, bad);
  drawn.options.max_bad_share = 1;
  drawn.options.max_bad_in_a_row = 1000;
  drawn.seed = *rc::gen::arbitrary<uint64_t>();
  return drawn;
}

// What a run from `first` sees that is killed after `steps`.
std::vector<Seen> run(const Case& drawn, int64_t batch, int64_t threads, int64_t first,
                      int64_t steps) {
  Loader loader(drawn.dataset, drawn.options, batch, drawn.seed, threads, first);
  std::vector<Seen> seen;
  for (int64_t step = 0; step < steps; ++step) add(loader.next(), seen);
  return seen;
}

TEST(LoaderProperty, KillsAndThreadsDoNotShowAndEachSampleComesOnceAnEpoch) {
  EXPECT_TRUE(rc::check([] {
    const auto size = *rc::gen::inRange<int64_t>(1, 40);
    const auto batch = *rc::gen::inRange<int64_t>(1, size + 1);
    const Case drawn = some_case(size);
    const int64_t an_epoch = size / batch, steps = 2 * an_epoch + an_epoch / 2;
    const std::vector<Seen> whole = run(drawn, batch, 1, 0, steps);

    std::vector<Seen> pieces;
    for (int64_t done = 0; done < steps;) {
      const auto threads = *rc::gen::element<int64_t>(1, 2, 7);
      const auto until_killed = *rc::gen::inRange<int64_t>(1, steps - done + 1);
      const std::vector<Seen> piece = run(drawn, batch, threads, done, until_killed);
      pieces.insert(pieces.end(), piece.begin(), piece.end());
      done += until_killed;
    }
    RC_ASSERT(pieces == whole);

    for (int64_t epoch = 0; epoch < 2; ++epoch) {
      std::set<int64_t> ids;
      for (int64_t i = epoch * an_epoch * batch; i < (epoch + 1) * an_epoch * batch; ++i) {
        const Seen& one = whole[static_cast<size_t>(i)];
        RC_ASSERT(one.epoch == epoch && one.sample >= 0 && one.sample < size);
        ids.insert(one.sample);
      }
      RC_ASSERT(static_cast<int64_t>(ids.size()) == an_epoch * batch);
    }
  }));
}

// Ranks that share a global batch take its parts; all together see what one alone sees.
TEST(LoaderProperty, AnyNumberOfRanksSeesTheSameGlobalBatches) {
  EXPECT_TRUE(rc::check([] {
    const auto ranks = *rc::gen::element<int64_t>(2, 4);
    const auto of_each = *rc::gen::inRange<int64_t>(1, 5);
    const int64_t batch = ranks * of_each;
    const int64_t steps = *rc::gen::inRange<int64_t>(1, 4);  // an epoch
    const Case drawn = some_case(batch * steps);
    const auto first = *rc::gen::inRange<int64_t>(0, steps + 1);
    RC_ASSERT(run(drawn, of_each, *rc::gen::element<int64_t>(1, 2, 7), ranks * first,
                  ranks * (steps + 1)) ==
              run(drawn, batch, *rc::gen::element<int64_t>(1, 2, 7), first, steps + 1));
  }));
}

// The comparison above notices another seed, a step too few and a picture that turned bad.
TEST(LoaderProperty, NegativeControl) {
  Case drawn;
  drawn.dataset = std::make_shared<test::FakeDataset>(30);
  drawn.options.max_bad_share = 1;
  const std::vector<Seen> whole = run(drawn, 5, 2, 0, 6);
  EXPECT_EQ(run(drawn, 5, 1, 0, 6), whole);
  EXPECT_NE(run(drawn, 5, 2, 1, 6), whole);
  drawn.dataset = std::make_shared<test::FakeDataset>(30, std::set<int64_t>{7});
  EXPECT_NE(run(drawn, 5, 2, 0, 6), whole);
  drawn.dataset = std::make_shared<test::FakeDataset>(30);
  drawn.seed = 1;
  EXPECT_NE(run(drawn, 5, 2, 0, 6), whole);
}

}  // namespace
}  // namespace fcm::loader
