// RELIABILITY.md, G12: NaN in a weight (and so in the loss), and NaN or infinity in a gradient, at
// random steps. The step is skipped, and weights, moments and log are those of a run without its
// batch.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "fcm/recipe/setup.h"
#include "fcm/train/loop.h"
#include "tests/support/scratch.h"
#include "tests/support/series.h"
#include "tests/train/changed_learner.h"
#include "tests/train/small_run.h"

namespace fcm::train {
namespace {

using test::memory_folder;
using test::Scratch;

constexpr double kValues[] = {std::numeric_limits<double>::quiet_NaN(),
                              std::numeric_limits<double>::infinity(),
                              -std::numeric_limits<double>::infinity()};

enum class Place { kWeight, kGradient };

struct Injection {
  Place place = Place::kWeight;
  double value = 0;
  int64_t parameter = 0, element = 0;
};

// The step with one element of a weight set to NaN, which is restored afterwards.
StepResult with_spoilt_weight(PretrainLearner& inner, const Injection& injection,
                              const ChangedLearner::Plain& plain) {
  const auto& all = inner.model().parameters().all();
  at::Tensor flat =
      all[static_cast<size_t>(injection.parameter) % all.size()].value.detach().view({-1});
  at::Tensor element = flat[injection.element % flat.numel()];
  const at::Tensor before = element.clone();
  element.fill_(std::numeric_limits<double>::quiet_NaN());
  const StepResult result = plain();
  element.copy_(before);
  return result;
}

// The step with one element of a gradient changed, by a hook on one parameter.
StepResult with_spoilt_gradient(PretrainLearner& inner, const Injection& injection,
                                const ChangedLearner::Plain& plain) {
  std::vector<at::Tensor> trainable;
  for (const auto& parameter : inner.model().parameters().all()) {
    if (parameter.trainable) trainable.push_back(parameter.value);
  }
  at::Tensor chosen = trainable[static_cast<size_t>(injection.parameter) % trainable.size()];
  const unsigned hook = chosen.register_hook([&](const at::Tensor& gradient) {
    at::Tensor spoilt = gradient.clone();
    at::Tensor flat = spoilt.view({-1});
    flat[injection.element % flat.numel()].fill_(injection.value);
    return spoilt;
  });
  const StepResult result = plain();
  chosen.remove_hook(hook);
  return result;
}

struct RunOutcome {
  std::vector<nlohmann::json> log;
  std::string bytes;
  std::vector<std::string> messages;
  int64_t left_out = 0;
};

// Trains for 40 steps. The steps in `injections` are spoilt. With `pretended` the test itself skips
// these steps without computing anything.
RunOutcome run(const std::map<int64_t, Injection>& injections, bool pretended) {
  const Scratch folder(memory_folder());
  recipe::Recipe recipe = twelve_steps();
  recipe.optim.epochs = 10;
  recipe.run.save_every_steps = 8;
  PretrainLearner inner({recipe::autoencoder_options(recipe), 3}, recipe);
  RunOutcome outcome;
  ChangedLearner learner(inner, [&](int64_t, const StepPlan& plan, const auto& plain) {
    const auto found = injections.find(plan.step);
    if (found == injections.end()) return plain();
    StepResult result{std::numeric_limits<double>::quiet_NaN(), 0, false, {}};
    if (!pretended) {
      const Injection& injection = found->second;
      if (injection.place == Place::kWeight) {
        result = with_spoilt_weight(inner, injection, plain);
      } else {
        result = with_spoilt_gradient(inner, injection, plain);
      }
    }
    outcome.left_out += result.applied ? 0 : 1;
    result.loss = std::numeric_limits<double>::quiet_NaN();  // so that both logs are equal
    result.gradient_norm = 0;
    return result;
  });
  TrainRequest request;
  request.recipe = recipe;
  request.dataset = std::make_shared<Stripes>();
  request.out = folder.path();
  Messages messages;
  train(learner, request, messages);
  outcome.log = log_of(folder.path());
  outcome.bytes = last_checkpoint(folder.path());
  outcome.messages = messages.lines;
  return outcome;
}

TEST(NotFiniteSlow, UpdatesAreLeftOutAsIfTheirBatchHadNeverBeen) {
  const test::Series series(200);
  constexpr int64_t kARun = 10;
  int64_t injected = 0, left_out = 0;
  for (int64_t number = 0; injected < series.cases(); ++number) {
    SCOPED_TRACE(series.place(number));
    KeyedRandom random = series.random_of(number);
    std::map<int64_t, Injection> injections;
    while (std::ssize(injections) < std::min(kARun, series.cases() - injected)) {
      const auto step = static_cast<int64_t>(1 + random.below(38));
      // Spoilt steps are never adjacent, because skipped steps in a row can make the run roll back.
      if (injections.contains(step - 1) || injections.contains(step + 1)) continue;
      injections[step] = {random.below(2) == 0 ? Place::kWeight : Place::kGradient,
                          kValues[random.below(3)], static_cast<int64_t>(random.below(1000)),
                          static_cast<int64_t>(random.below(1'000'000))};
    }
    const RunOutcome spoilt = run(injections, false), pretended = run(injections, true);
    ASSERT_EQ(spoilt.left_out, std::ssize(injections));
    ASSERT_TRUE(spoilt.bytes == pretended.bytes);
    ASSERT_EQ(spoilt.log, pretended.log);
    ASSERT_EQ(spoilt.messages, pretended.messages);
    ASSERT_FALSE(spoilt.bytes == run({}, false).bytes);  // negative control
    injected += std::ssize(injections);
    left_out += spoilt.left_out;
  }
  test::Series::note("injected", injected);
  test::Series::note("left_out", left_out);
}

}  // namespace
}  // namespace fcm::train
