#include "bench/learner_step.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <string>

#include "fcm/base/error.h"
#include "fcm/base/random.h"
#include "fcm/ops/profile_scope.h"

namespace fcm::bench {
namespace {

// Seconds of each phase of a step, in order of first appearance, and the growth of allocated memory
// until the backward pass starts: activations saved for backward.
class PhaseTimer final : public ops::WorkListener {
 public:
  explicit PhaseTimer(at::Device device)
      : device_(device), before_(allocated_bytes(device)), others_(ops::listen(this)) {
    train::wait_for(device_);
    since_begin_.restart();
  }
  ~PhaseTimer() override { ops::listen(others_); }
  PhaseTimer(const PhaseTimer&) = delete;
  PhaseTimer& operator=(const PhaseTimer&) = delete;

  void begin() override {}
  void end(const ops::Work&) override {}
  void phase(const char* name) override {
    train::wait_for(device_);
    const double now = since_begin_.seconds();
    if (!phase_.empty()) {
      of(phase_) += now - begin_;
      phases.push_back({phase_, begin_, now});
    }
    phase_ = name;
    begin_ = now;
    if (phase_ == "backward")
      saved_bytes = std::max(saved_bytes, allocated_bytes(device_) - before_);
  }

  Parts parts;
  std::vector<PhaseSpan> phases;
  double saved_bytes = 0;

 private:
  double& of(const std::string& phase) {
    const auto found = std::find_if(parts.begin(), parts.end(),
                                    [&](const auto& part) { return part.first == phase; });
    return found != parts.end() ? found->second : parts.emplace_back(phase, 0).second;
  }

  at::Device device_;
  double before_;
  ops::WorkListener* others_;
  // "encoder" also counts the work before the learner names its first phase, such as preparing the
  // batch's images.
  std::string phase_ = "encoder";
  Stopwatch since_begin_;
  double begin_ = 0;  // of the phase
};

}  // namespace

loader::Batch noise_batch(const recipe::Recipe& recipe, int64_t images, int64_t classes,
                          const dist::Group& group) {
  const loader::Range mine = loader::Slice{group.rank(), group.size()}.of(images);
  if (mine.size() == 0) {
    fail(ExitCode::kUsage, "--batch {} has fewer images than there are processes ({})", images,
         group.size());
  }
  loader::Batch batch;
  batch.batch = mine.size();
  batch.first = mine.begin;
  batch.global_batch = images;
  batch.rows = recipe.data.image_size[0];
  batch.cols = recipe.data.image_size[1];
  batch.channels = recipe.data.channels;
  batch.pixels_BHWC.resize(
      static_cast<size_t>(batch.batch * batch.rows * batch.cols * batch.channels));
  KeyedRandom random(0, Purpose::kSynthetic, 0, 0);
  for (uint8_t& value : batch.pixels_BHWC) value = static_cast<uint8_t>(random.below(256));
  batch.sample_ids.resize(static_cast<size_t>(batch.batch));
  std::iota(batch.sample_ids.begin(), batch.sample_ids.end(), batch.first);
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < batch.batch && classes > 0; ++i) {
    labels.push_back(static_cast<int64_t>(random.below(static_cast<uint64_t>(classes))));
  }
  if (classes > 0) batch.targets = loader::Targets(std::move(labels));
  return batch;
}

loader::Batch noise_scenes(const recipe::Recipe& recipe, int64_t images, int64_t classes,
                           const dist::Group& group) {
  constexpr int64_t kBlock = 16;
  loader::Batch batch = noise_batch(recipe, images, /*classes=*/0, group);
  batch.targets = loader::Targets(loader::TargetKind::kMap, batch.batch, batch.rows, batch.cols);
  batch.extents.assign(static_cast<size_t>(batch.batch), {batch.rows, batch.cols});
  const int64_t across = (batch.cols + kBlock - 1) / kBlock;
  std::vector<uint8_t> of_blocks(static_cast<size_t>((batch.rows + kBlock - 1) / kBlock * across));
  KeyedRandom random(0, Purpose::kSynthetic, 0, 1);
  for (uint8_t& block : of_blocks) {
    block = static_cast<uint8_t>(random.below(static_cast<uint64_t>(classes)));
  }
  loader::ClassMap map{batch.rows, batch.cols, {}};
  for (int64_t row = 0; row < batch.rows; ++row) {
    for (int64_t col = 0; col < batch.cols; ++col) {
      map.classes.push_back(of_blocks[static_cast<size_t>(row / kBlock * across + col / kBlock)]);
    }
  }
  for (int64_t i = 0; i < batch.batch; ++i) batch.targets.set(i, map);
  return batch;
}

loader::Batch noise_frames(const recipe::Recipe& recipe, int64_t images, int64_t classes,
                           const dist::Group& group) {
  constexpr int64_t kObjects = 8, kCorners = 24;
  loader::Batch batch = noise_batch(recipe, images, /*classes=*/0, group);
  batch.targets = loader::Targets(loader::TargetKind::kInstances, batch.batch);
  batch.extents.assign(static_cast<size_t>(batch.batch), {batch.rows, batch.cols});
  const auto side = static_cast<double>(batch.rows);
  for (int64_t i = 0; i < batch.batch; ++i) {
    KeyedRandom random(0, Purpose::kSynthetic, 1, static_cast<uint64_t>(batch.first + i));
    loader::Instances labelled{i, batch.rows, batch.cols, {}};
    for (int64_t object = 0; object < kObjects; ++object) {
      // Radius from a sixty-fourth to a quarter of the frame's side.
      const double radius = side * std::exp2(-2 - 4 * random.uniform_double());
      const double x = radius + (side - 2 * radius) * random.uniform_double();
      const double y = radius + (side - 2 * radius) * random.uniform_double();
      loader::Instance one;
      one.class_number = static_cast<int64_t>(random.below(static_cast<uint64_t>(classes)));
      one.box = {x - radius, y - radius, x + radius, y + radius};
      one.area = 3 * radius * radius;
      std::vector<double> outline;
      for (int64_t corner = 0; corner < kCorners; ++corner) {
        const double angle = 2 * std::numbers::pi * static_cast<double>(corner) / kCorners;
        outline.push_back(x + radius * std::cos(angle));
        outline.push_back(y + radius * std::sin(angle));
      }
      one.outlines.push_back(std::move(outline));
      labelled.instances.push_back(std::move(one));
    }
    batch.targets.set(i, labelled);
  }
  return batch;
}

void LearnerStep::switch_to_enqueued(std::unique_ptr<train::Execution> queued, bool pipelined) {
  queued_ = std::move(queued);
  max_in_flight_after_ = pipelined ? queued_->max_in_flight() - 1 : 0;
}

Parts LearnerStep::step() {
  if (queued_) return queued_step();
  // A thread has one WorkListener: a PhaseTimer would replace the profile.
  if (profile != nullptr) {
    learner_.update(batch_, plan_);
    return {};
  }
  PhaseTimer timer(learner_.device());
  learner_.update(batch_, plan_);
  saved_bytes = timer.saved_bytes;
  phases = timer.phases;
  return timer.parts;
}

Parts LearnerStep::queued_step() {
  const Stopwatch watch;
  queued_->enqueue(batch_, plan_);
  for (++in_flight_; in_flight_ > max_in_flight_after_; --in_flight_) queued_->wait_result();
  return {{"update", watch.seconds()}};
}

}  // namespace fcm::bench
