// Tests guarantees of the loader for random data sets, batch sizes, numbers of threads, kills and
// bad images. To run more cases:
// RC_PARAMS="max_success=10000" build/bin/test_loader --gtest_filter='LoaderProperty*'
#include <rapidcheck.h>

#include <algorithm>
#include <deque>

#include "fcm/loader/loader.h"
#include "tests/loader/support.h"

namespace fcm::loader {
namespace {

// One sample of a batch; runs are compared by these values.
struct Seen {
  int64_t epoch, sample, label, substitute;
  int64_t place, global_batch;  // in the batch of all ranks
  std::string reason;
  std::vector<uint8_t> pixels;
  bool operator==(const Seen&) const = default;
};

void add(const Batch& batch, std::vector<Seen>& seen) {
  const auto bytes = static_cast<size_t>(batch.rows * batch.cols * batch.channels);
  size_t bad = 0;
  for (size_t i = 0; i < batch.sample_ids.size(); ++i) {
    const auto* const pixels = batch.pixels_BHWC.data() + i * bytes;
    Seen one{batch.epoch,
             batch.sample_ids[i],
             batch.targets.labels()[i],
             -1,
             batch.first + static_cast<int64_t>(i),
             batch.global_batch,
             "",
             {pixels, pixels + bytes}};
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

// A random data set and options; at most a fifth of the images cannot be read.
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

// The samples of a run that begins at step `first` and is killed after `steps` steps.
std::vector<Seen> run(const Case& drawn, int64_t batch, int64_t threads, int64_t first,
                      int64_t steps) {
  Loader loader(test::labelled(drawn.dataset, drawn.options, batch, drawn.seed, threads, first));
  std::vector<Seen> seen;
  for (int64_t step = 0; step < steps; ++step) add(loader.next(), seen);
  return seen;
}

// The samples of all ranks, one loader per slice: step by step and, within a step, rank by rank.
// Each loader has rank + 1 threads.
std::vector<Seen> run_slices(const Case& drawn, int64_t batch, int64_t first, int64_t steps,
                             const std::vector<Slice>& slices) {
  std::deque<Loader> loaders;
  for (const Slice& slice : slices) {
    LoaderRequest request =
        test::labelled(drawn.dataset, drawn.options, batch, drawn.seed, slice.rank + 1, first);
    request.slice = slice;
    loaders.emplace_back(request);
    EXPECT_EQ(loaders.back().steps_per_epoch(), drawn.dataset->size() / batch);
  }
  std::vector<Seen> seen;
  for (int64_t step = 0; step < steps; ++step) {
    for (Loader& loader : loaders) add(loader.next(), seen);
  }
  return seen;
}

std::vector<Slice> slices_of(int64_t ranks) {
  std::vector<Slice> slices;
  for (int64_t rank = 0; rank < ranks; ++rank) slices.push_back({rank, ranks});
  return slices;
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

// The slices of all ranks, in the order of ranks, are together the batch of a single process.
TEST(LoaderProperty, SlicesOfAnyNumberOfRanksAreTheBatchOfOne) {
  EXPECT_TRUE(rc::check([] {
    const auto batch = *rc::gen::inRange<int64_t>(1, 12);
    const auto ranks = *rc::gen::inRange<int64_t>(1, std::min<int64_t>(batch, 5) + 1);
    const Case drawn = some_case(batch * *rc::gen::inRange<int64_t>(1, 4));
    const auto first = *rc::gen::inRange<int64_t>(0, 5);
    RC_ASSERT(run_slices(drawn, batch, first, 4, slices_of(ranks)) ==
              run(drawn, batch, *rc::gen::element<int64_t>(1, 2, 7), first, 4));
  }));
}

// In evaluation, the slices of all ranks have every sample once and in order, for any batch sizes.
TEST(LoaderProperty, SlicesOfAnyNumberOfRanksAreMeasuredOnce) {
  EXPECT_TRUE(rc::check([] {
    const auto size = *rc::gen::inRange<int64_t>(1, 40);
    const Case drawn = some_case(size);
    const auto measured = [&](int64_t batch, const Slice& slice) {
      EvalLoader loader({.dataset = drawn.dataset,
                         .data = drawn.options,
                         .targets = TargetKind::kLabel,
                         .batch_size = batch,
                         .threads = 2,
                         .slice = slice});
      std::vector<Seen> seen;
      for (Batch one; loader.next(one);) {
        one.bad.clear();  // evaluation skips bad images instead of replacing them
        add(one, seen);
      }
      for (Seen& one : seen) one.place = one.global_batch = 0;  // batch sizes differ
      return seen;
    };
    std::vector<Seen> together;
    for (const Slice& slice : slices_of(*rc::gen::inRange<int64_t>(1, 9))) {
      const auto part = measured(*rc::gen::inRange<int64_t>(1, 10), slice);
      together.insert(together.end(), part.begin(), part.end());
    }
    RC_ASSERT(together == measured(7, {}));
  }));
}

TEST(LoaderProperty, PartsFollowEachOtherAndDifferByOneAtMost) {
  EXPECT_TRUE(rc::check([] {
    const auto count = *rc::gen::inRange<int64_t>(0, 1000);
    const auto ranks = *rc::gen::inRange<int64_t>(1, 50);
    int64_t end = 0;
    for (const Slice& slice : slices_of(ranks)) {
      const Range part = slice.of(count);
      RC_ASSERT(part.begin == end);
      RC_ASSERT(part.size() == count / ranks || part.size() == count / ranks + 1);
      end = part.end;
    }
    RC_ASSERT(end == count);
  }));
}

// The comparisons detect another seed, a missing step, and an image that became unreadable. They
// also detect slices in another order, a repeated slice, and slices for another number of ranks.
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
  EXPECT_EQ(run_slices(drawn, 5, 0, 6, slices_of(2)), whole);
  EXPECT_NE(run_slices(drawn, 5, 0, 6, {{1, 2}, {0, 2}}), whole);
  EXPECT_NE(run_slices(drawn, 5, 0, 6, {{0, 2}, {0, 2}}), whole);
  EXPECT_NE(run_slices(drawn, 5, 0, 6, {{0, 3}, {1, 3}}), whole);
  drawn.seed = 1;
  EXPECT_NE(run(drawn, 5, 2, 0, 6), whole);
  EXPECT_NE(run_slices(drawn, 5, 0, 6, slices_of(2)), whole);
}

}  // namespace
}  // namespace fcm::loader
