// Enqueued steps, whose results are read one step late. On the CPU a recording stores the function
// and a replay calls it, which shows that a step reads its inputs from its own buffers only.
#include "fcm/train/execution/queued_update.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "fcm/base/error.h"
#include "fcm/recipe/setup.h"
#include "fcm/train/learners/pretrain.h"
#include "tests/support/compare.h"
#include "tests/support/gpu.h"
#include "tests/train/small_model.h"

namespace fcm::train {
namespace {

class StoredFunction final : public ops::RecordedWork {
 public:
  void record(const std::function<void()>& work) override {
    work_ = work;
    for (int i = 0; i < 2; ++i) work_();  // warm-up calls, as before a graph is captured
  }
  void replay() override { work_(); }

 private:
  std::function<void()> work_;
};

// Negative control: a recording that replays nothing.
class ReplaysNothing final : public ops::RecordedWork {
 public:
  void record(const std::function<void()>& work) override { work(); }
  void replay() override {}
};

// Every step has different images, plans and learning rate.
loader::Batch batch_of_step(const recipe::Recipe& recipe, int64_t step) {
  loader::Batch batch = random_batch(recipe);
  for (int64_t& id : batch.sample_ids) id += 10 * step;
  for (uint8_t& value : batch.pixels_BHWC) value = static_cast<uint8_t>(value + 3 * step);
  return batch;
}
double rate_of_step(int64_t step) { return 1e-3 * static_cast<double>(step + 1); }

// A learner that is trained for some steps, and the results of these steps.
struct Trained {
  Trained(const recipe::Recipe& of_recipe, at::Device device,
          std::unique_ptr<targets::Teachers> teachers = nullptr)
      : recipe(of_recipe),
        learner({recipe::autoencoder_options(recipe), 3, device}, recipe, std::move(teachers)) {}

  // Runs eager steps, whose results are read at once.
  void run_eager(int64_t steps, int64_t micro_batch) {
    for (int64_t step = 0; step < steps; ++step) {
      note(learner.update(batch_of_step(recipe, step), {rate_of_step(step), micro_batch}));
    }
  }
  // Enqueues steps and reads each result one step late.
  void run_enqueued(int64_t steps, int64_t micro_batch, const Learner::MakeRecorder& record) {
    const auto queue = learner.make_queued_execution(micro_batch, record);
    for (int64_t step = 0; step < steps; ++step) {
      queue->enqueue(batch_of_step(recipe, step), {rate_of_step(step)});
      if (step > 0) note(queue->wait_result());
    }
    note(queue->wait_result());
  }

  void note(const StepResult& result) {
    numbers.push_back(result.loss);
    numbers.push_back(result.gradient_norm);
    numbers.push_back(result.applied ? 1 : 0);
  }
  bool left_same_bits(const Trained& other) const {
    const auto same = [](const at::Tensor& a, const at::Tensor& b) {
      return test::same_bits(a.cpu(), b.cpu());
    };
    const optim::AdamW &mine = learner.optimizer(), &others = other.learner.optimizer();
    return mine.steps() == others.steps() && same(values(), other.values()) &&
           same(mine.first_moments(), others.first_moments()) &&
           same(mine.second_moments(), others.second_moments());
  }
  at::Tensor values() const { return learner.model().parameters().flat_values(); }
  at::Tensor moments() const { return learner.optimizer().second_moments(); }
  // Makes a weight NaN, and with it loss and gradients.
  void spoil() {
    const at::NoGradGuard no_grad;
    learner.model()
        .parameters()
        .find("mask_token")
        .value.fill_(std::numeric_limits<float>::quiet_NaN());
  }

  recipe::Recipe recipe;
  PretrainLearner learner;
  std::vector<double> numbers;
};

std::unique_ptr<ops::RecordedWork> keep_function() { return std::make_unique<StoredFunction>(); }
std::unique_ptr<ops::RecordedWork> forget() { return std::make_unique<ReplaysNothing>(); }

recipe::Recipe clipped_recipe() {
  recipe::Recipe recipe = small_recipe();
  recipe.optim.clip_norm = 0.05;  // small enough that every step is clipped
  return recipe;
}

TEST(QueuedUpdate, GivesWhatUpdatesGiveOneByOne) {
  for (const int64_t micro_batch : {6, 4, 1}) {  // with 4 the last micro-batch has two images
    Trained plain(clipped_recipe(), at::kCPU), eager(clipped_recipe(), at::kCPU),
        recorded(clipped_recipe(), at::kCPU);
    plain.run_eager(5, micro_batch);
    eager.run_enqueued(5, micro_batch, nullptr);
    recorded.run_enqueued(5, micro_batch, keep_function);
    EXPECT_EQ(plain.learner.updates(), 5);
    EXPECT_EQ(eager.numbers, plain.numbers) << micro_batch;
    EXPECT_EQ(recorded.numbers, plain.numbers) << micro_batch;
    EXPECT_TRUE(eager.left_same_bits(plain)) << micro_batch;
    EXPECT_TRUE(recorded.left_same_bits(plain)) << micro_batch;
  }
}

// Trains on one rank's slice of each batch. The loss of a slice is divided by the size of the
// batch.
TEST(QueuedUpdate, GivesWhatUpdatesGiveOfSlices) {
  Trained plain(small_recipe(), at::kCPU), queued(small_recipe(), at::kCPU);
  const auto queue = queued.learner.make_queued_execution(3, nullptr);
  for (int64_t step = 0; step < 3; ++step) {
    const loader::Batch slice = slice_of(batch_of_step(plain.recipe, step), 2, 4);
    plain.note(plain.learner.update(slice, {rate_of_step(step), 3}));
    queue->enqueue(slice, {rate_of_step(step)});
    queued.note(queue->wait_result());
  }
  EXPECT_EQ(queued.numbers, plain.numbers);
  EXPECT_TRUE(queued.left_same_bits(plain));
  EXPECT_THROW(queue->enqueue(slice_of(batch_of_step(plain.recipe, 3), 2, 3), {1e-3}),
               std::logic_error);
}

TEST(QueuedUpdate, ARecordingThatDoesNothingIsNoticed) {
  Trained plain(clipped_recipe(), at::kCPU), recorded(clipped_recipe(), at::kCPU);
  plain.run_eager(3, 6);
  recorded.run_enqueued(3, 6, forget);
  EXPECT_NE(recorded.numbers, plain.numbers);
  EXPECT_FALSE(recorded.left_same_bits(plain));
}

TEST(QueuedUpdate, TheLossesOfSeveralTargetsAreThoseOfUpdates) {
  recipe::Recipe recipe = small_recipe();
  recipe.pretrain().targets.clip = 0.5;
  recipe.pretrain().targets.clip_tower = "tiny";
  recipe.pretrain().decoder.depth = 2;
  const auto teachers = [&] {
    return std::make_unique<targets::Teachers>(recipe.pretrain().targets,
                                               recipe::student_of(recipe));
  };
  Trained plain(recipe, at::kCPU, teachers()), queued(recipe, at::kCPU, teachers());
  const auto queue = queued.learner.make_queued_execution(4, nullptr);
  for (int64_t step = 0; step < 2; ++step) {
    const loader::Batch batch = batch_of_step(recipe, step);
    const StepResult wanted = plain.learner.update(batch, {rate_of_step(step), 4});
    queue->enqueue(batch, {rate_of_step(step)});
    const StepResult result = queue->wait_result();
    EXPECT_EQ(wanted.target_losses.size(), 2);
    EXPECT_EQ(result.target_losses, wanted.target_losses);
    EXPECT_EQ(result.loss, wanted.loss);
  }
  EXPECT_TRUE(queued.left_same_bits(plain));
}

TEST(QueuedUpdate, ANonFiniteLossLeavesEverythingAsItWas) {
  Trained trained(small_recipe(), at::kCPU);
  const auto queue = trained.learner.make_queued_execution(6, keep_function);
  queue->enqueue(batch_of_step(trained.recipe, 0), {1e-3});
  EXPECT_TRUE(queue->wait_result().applied);
  trained.spoil();
  const at::Tensor before = trained.values().clone();
  const at::Tensor moments = trained.moments().clone();
  queue->enqueue(batch_of_step(trained.recipe, 1), {1e-3});
  const StepResult bad = queue->wait_result();
  EXPECT_FALSE(bad.applied);
  EXPECT_TRUE(std::isnan(bad.loss));
  EXPECT_EQ(trained.learner.updates(), 1);
  EXPECT_TRUE(test::same_bits(trained.values(), before));
  EXPECT_TRUE(test::same_bits(trained.moments(), moments));
}

TEST(QueuedUpdate, TakesNoThirdUpdateAndNoOtherBatch) {
  Trained trained(small_recipe(), at::kCPU);
  const auto queue = trained.learner.make_queued_execution(6, nullptr);
  EXPECT_THROW(queue->wait_result(), std::logic_error);
  queue->enqueue(batch_of_step(trained.recipe, 0), {1e-3});
  queue->enqueue(batch_of_step(trained.recipe, 1), {1e-3});
  EXPECT_THROW(queue->enqueue(batch_of_step(trained.recipe, 2), {1e-3}), std::logic_error);
  queue->wait_result();
  recipe::Recipe other = trained.recipe;
  other.optim.batch_size = 4;
  EXPECT_THROW(queue->enqueue(batch_of_step(other, 2), {1e-3}), std::logic_error);
  EXPECT_THROW(trained.learner.update(batch_of_step(trained.recipe, 2), {1e-3, 6}),
               std::logic_error);
}

class GpuQueue : public test::GpuTest {};

TEST_F(GpuQueue, GraphEqualsSingleOperatorsAndUpdatesOneByOne) {
  for (const char* precision : {"fp32", "bf16"}) {
    recipe::Recipe recipe = clipped_recipe();
    recipe.model.precision = precision;
    Trained plain(recipe, at::kCUDA), eager(recipe, at::kCUDA), recorded(recipe, at::kCUDA);
    plain.run_eager(5, 4);
    eager.run_enqueued(5, 4, nullptr);
    recorded.run_enqueued(5, 4, ops::make_cuda_graph);
    EXPECT_EQ(recorded.numbers, eager.numbers) << precision;
    EXPECT_TRUE(recorded.left_same_bits(eager)) << precision;
    // update() computes learning rates and bias corrections with pow and sqrt of the CPU, which
    // round differently.
    for (size_t i = 0; i < plain.numbers.size(); ++i) {
      EXPECT_NEAR(eager.numbers[i], plain.numbers[i], 1e-4 * std::abs(plain.numbers[i]))
          << precision << " " << i;
    }
  }
}

TEST_F(GpuQueue, ANonFiniteLossLeavesEverythingAsItWas) {
  Trained trained(small_recipe(), at::kCUDA);
  const auto queue = trained.learner.make_queued_execution(6, ops::make_cuda_graph);
  queue->enqueue(batch_of_step(trained.recipe, 0), {1e-3});
  EXPECT_TRUE(queue->wait_result().applied);
  trained.spoil();
  const at::Tensor before = trained.values().cpu();
  queue->enqueue(batch_of_step(trained.recipe, 1), {1e-3});
  EXPECT_FALSE(queue->wait_result().applied);
  EXPECT_EQ(trained.learner.updates(), 1);
  EXPECT_TRUE(test::same_bits(trained.values().cpu(), before));
}

TEST_F(GpuQueue, WaitingForTheGpuInsideIsAnErrorOfOneSentence) {
  const at::Tensor there = at::ones({4}, at::kCUDA);
  const auto graph = ops::make_cuda_graph();
  try {
    graph->record([&] { there.sum().item<float>(); });
    FAIL() << "a step that waits for the GPU was recorded";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kDevice);
    EXPECT_NE(std::string(error.what()).find("CUDA graph"), std::string::npos) << error.what();
  }
}

TEST_F(GpuQueue, MemoryStaysFlatOverAThousandSteps) {
  Trained trained(small_recipe(), at::kCUDA);
  const auto queue = trained.learner.make_queued_execution(6, ops::make_cuda_graph);
  const loader::Batch batch = batch_of_step(trained.recipe, 0);
  const auto some = [&](int steps) {
    for (int step = 0; step < steps; ++step) {
      queue->enqueue(batch, {1e-3});
      queue->wait_result();
    }
  };
  some(10);
  const ops::CudaMemory before = ops::cuda_memory();
  some(1000);
  EXPECT_EQ(ops::cuda_memory().in_use, before.in_use);
  EXPECT_EQ(ops::cuda_memory().free, before.free);
}

}  // namespace
}  // namespace fcm::train
