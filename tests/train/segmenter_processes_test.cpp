// A segmenter trained by several processes has the weights and running statistics of one process up
// to rounding, and the same bits in every run.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fcm/base/file.h"
#include "fcm/train/loop.h"
#include "tests/dist/processes.h"
#include "tests/support/scratch.h"
#include "tests/train/run_results.h"
#include "tests/train/small_segmenter.h"
#include "tests/train/wrapped_learner.h"

namespace fcm::train {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kSteps = 8;

// Indices of a batch rotated to begin at `first`; -1: reversed.
std::vector<size_t> rotated_order(int64_t batch, int64_t first) {
  std::vector<size_t> order;
  for (int64_t i = 0; i < batch; ++i) {
    order.push_back(static_cast<size_t>(first < 0 ? batch - 1 - i : (first + i) % batch));
  }
  return order;
}

template <class Value>
std::vector<Value> in_order(const std::vector<Value>& values, const std::vector<size_t>& order) {
  const size_t each = values.size() / order.size();
  std::vector<Value> reordered;
  for (const size_t place : order) {
    const auto begin = values.begin() + static_cast<ptrdiff_t>(place * each);
    reordered.insert(reordered.end(), begin, begin + static_cast<ptrdiff_t>(each));
  }
  return reordered;
}

// The same batch with its images in another order, which changes the order of sums over images.
loader::Batch reordered_batch(const loader::Batch& batch, int64_t first) {
  const std::vector<size_t> order = rotated_order(batch.batch, first);
  loader::Batch reordered = batch;
  reordered.pixels_BHWC = in_order(batch.pixels_BHWC, order);
  reordered.sample_ids = in_order(batch.sample_ids, order);
  reordered.extents = in_order(batch.extents, order);
  const std::vector<uint8_t> maps = in_order(batch.targets.maps().classes_BHW, order);
  const auto each = static_cast<ptrdiff_t>(batch.rows * batch.cols);
  for (ptrdiff_t i = 0; i < batch.batch; ++i) {
    reordered.targets.set(
        i, loader::ClassMap{
               batch.rows, batch.cols, {maps.begin() + i * each, maps.begin() + (i + 1) * each}});
  }
  return reordered;
}

// A learner whose batches are reordered before each step.
class Reordered final : public WrappedLearner<SegmenterLearner> {
 public:
  Reordered(SegmenterLearner& inner, int64_t first) : WrappedLearner(inner), first_(first) {}
  StepResult update(const loader::Batch& batch, const StepPlan& plan) override {
    return inner_.update(reordered_batch(batch, first_), plan);
  }

 private:
  int64_t first_;
};

void train_segmenter(const std::shared_ptr<dist::Group>& group, const fs::path& out,
                     const recipe::Recipe& recipe, int64_t first) {
  at::set_num_threads(1);
  SegmenterLearner learner(small_segmenter(recipe), recipe, group);
  Reordered reordered(learner, first);
  TrainRequest request;
  request.recipe = recipe;
  request.dataset = small_scenes();
  request.out = out;
  request.group = group;
  SilentReporter silence;
  train(first == 0 ? static_cast<Learner&>(learner) : reordered, request, silence);
}

// Trains with this number of processes; 0: one process without a group. `first`: see rotated_order.
void train_as(int64_t ranks, const fs::path& out,
              const recipe::Recipe& recipe = small_segmenter_recipe(), int64_t first = 0) {
  dist::test::Processes processes(std::max<int64_t>(ranks, 1), [&](const auto& group) {
    train_segmenter(ranks == 0 ? dist::group_of_one() : group, out, recipe, first);
  });
  const std::vector<int> statuses = processes.wait_for_all();
  for (size_t rank = 0; rank < statuses.size(); ++rank) {
    EXPECT_EQ(statuses[rank], 0) << processes.said(static_cast<int64_t>(rank));
  }
}

std::string bits_after(const fs::path& run, int64_t step) {
  const fs::path folder = run / "checkpoints" / ("step-" + std::to_string(step));
  return read_file(folder / "model.safetensors", ExitCode::kData) +
         read_file(folder / "optimizer.safetensors", ExitCode::kData);
}

// The result of one process. `rounding` is by how much its weights change with the order of images
// in a batch, which changes only the order of sums. Smaller micro-batches would also change the
// batch statistics.
struct OneSegmenter {
  explicit OneSegmenter(const fs::path& folder) {
    train_as(0, folder / "one");
    weights = weights_of(folder / "one");
    losses = losses_of(folder / "one");
    for (const int64_t first : {-1, 2}) {
      const fs::path out = folder / ("turned" + std::to_string(first));
      train_as(0, out, small_segmenter_recipe(), first);
      rounding = std::max(rounding, largest_difference(weights, weights_of(out)));
    }
  }

  static constexpr double kHeadroom = 10;  // as in the parity runner
  double bound() const { return kHeadroom * rounding; }

  RunWeights weights;
  std::vector<double> losses;
  double rounding = 0;
};

void expect_as_one(const OneSegmenter& one, const fs::path& run) {
  EXPECT_LE(largest_difference(one.weights, weights_of(run)), one.bound()) << run;
  const std::vector<double> losses = losses_of(run);
  ASSERT_EQ(losses.size(), one.losses.size());
  for (size_t i = 0; i < losses.size(); ++i) EXPECT_NEAR(losses[i], one.losses[i], 1e-5) << i;
}

// Of four ranks, two have one image and two have two images.
TEST(SegmenterProcesses, ComeToTheWeightsAndStatisticsOfOne) {
  const test::Scratch scratch;
  const OneSegmenter one(scratch.path());
  EXPECT_GT(one.rounding, 0);
  EXPECT_LT(one.rounding, 1e-4);  // otherwise the bound would be too loose
  for (const int64_t ranks : {2, 4}) {
    const fs::path out = scratch / std::to_string(ranks);
    train_as(ranks, out);
    expect_as_one(one, out);
  }
  // Negative control: batch statistics of half a batch, as of ranks that do not share them.
  recipe::Recipe halves = small_segmenter_recipe();
  halves.optim.micro_batch = 3;
  train_as(0, scratch / "halves", halves);
  EXPECT_GT(largest_difference(one.weights, weights_of(scratch / "halves")), 10 * one.bound());

  recipe::Recipe first = small_segmenter_recipe();
  first.run.max_steps = kSteps / 2;
  for (const auto& [before, after] : {std::pair{2, 1}, {1, 2}}) {
    const fs::path out = scratch / fmt::format("{}-{}", before, after);
    train_as(before, out, first);
    train_as(after, out);
    expect_as_one(one, out);
  }
}

// The ranks have slices of two and three images. Without agreement one rank would run two
// micro-batches and the other three.
TEST(SegmenterProcesses, MakeAsManyPassesAndTheSameBits) {
  const test::Scratch scratch;
  recipe::Recipe uneven = small_segmenter_recipe();
  uneven.optim.batch_size = 5;
  uneven.optim.micro_batch = 1;
  uneven.run.max_steps = 2;
  train_as(2, scratch / "a", uneven);
  train_as(2, scratch / "b", uneven);
  EXPECT_TRUE(bits_after(scratch / "a", 2) == bits_after(scratch / "b", 2));
}

}  // namespace
}  // namespace fcm::train
