// eval --latency: speed and memory of a trained classifier.
#include <ATen/ATen.h>
#include <malloc.h>

#include <functional>
#include <set>
#include <utility>
#include <vector>

#include "bench/bench.h"
#include "fcm/base/error.h"
#include "fcm/base/stats.h"
#include "fcm/base/stopwatch.h"
#include "fcm/interop/downstream.h"
#include "fcm/interop/load_any.h"
#include "fcm/models/inputs.h"
#include "fcm/recipe/setup.h"
#include "fcm/tasks/machine.h"
#include "fcm/tasks/trained_classifier.h"
#include "fcm/train/meters.h"

namespace fcm::bench {
namespace {

// Times of as many passes as fit into two seconds, but at least 3 and at most 200.
std::vector<double> times_of(const std::function<void()>& pass) {
  constexpr double kSeconds = 2;
  constexpr size_t kLeast = 3, kMost = 200;
  pass();  // warm-up: buffers, kernels
  std::vector<double> times;
  const Stopwatch all;
  while (times.size() < kLeast || (all.seconds() < kSeconds && times.size() < kMost)) {
    const Stopwatch watch;
    pass();
    times.push_back(watch.seconds());
  }
  return times;
}

// From images in memory to classes.
nlohmann::json measure(const tasks::TrainedClassifier& trained, int64_t batch,
                       at::ScalarType compute) {
  const at::NoGradGuard no_grad;
  const models::Classifier& model = *trained.model;
  const loader::DataOptions& data = trained.recipe.data;
  const at::Tensor images_BHWC =
      at::arange(batch * data.image_size[0] * data.image_size[1] * data.channels)
          .remainder(251)
          .to(at::kByte)
          .view({batch, data.image_size[0], data.image_size[1], data.channels})
          .to(model.device());
  const masks::ViewPlan plan = masks::full_plan(batch, model.grid()).to(model.device());
  ::malloc_trim(0);  // returns memory that loading and earlier passes left resident
  train::reset_peak_memory(model.device());
  const Spread seconds = spread_of(times_of([&] {
    const at::Tensor pixels = models::pixels_of(images_BHWC, plan, model.geometry(), data);
    model.classify(model.features(pixels, plan, compute));
    train::wait_for(model.device());
  }));
  return {{"precision", recipe::compute_name(compute)},
          {"batch", batch},
          {"images_per_second", static_cast<double>(batch) / seconds.median},
          {"median_ms", 1e3 * seconds.median},
          {"min_ms", 1e3 * seconds.min},
          {"max_ms", 1e3 * seconds.max},
          {"memory_bytes", train::peak_memory_bytes(model.device())}};
}

}  // namespace

nlohmann::json latency(const tasks::EvalRequest& request, Reporter& reporter) {
  const int64_t threads = tasks::set_up_machine(request.machine);
  const std::string source = request.checkpoint.path.string();
  checkpoint::Checkpoint checkpoint = interop::load_any(source, false, reporter);
  if (interop::downstream_of(checkpoint) != interop::Downstream::kNone) {
    fail(ExitCode::kUsage,
         "eval --latency is for classifiers, and {} is none; bench step measures the speed of its "
         "recipe",
         source);
  }
  const tasks::TrainedClassifier trained = tasks::load_classifier(
      std::move(checkpoint), request.checkpoint.set, reporter, tasks::device_of(request.machine));
  if (!trained.model) {
    fail(ExitCode::kUsage, "eval --latency: {} is a probe of a frozen encoder; take a classifier",
         source);
  }
  reporter.info("eval --latency: nothing else should run on this machine now");
  nlohmann::json rows = nlohmann::json::array();
  for (const at::ScalarType compute : {at::kFloat, at::kBFloat16}) {
    for (const int64_t batch : std::set<int64_t>{1, request.batch}) {
      rows.push_back(measure(trained, batch, compute));
    }
  }
  return {{"latency", rows},
          {"parameters", trained.model->parameters().trainable_elements()},
          {"image_size", trained.recipe.data.image_size},
          {"classes", trained.classes},
          {"threads", threads},
          {"device", trained.model->device().str()}};
}

}  // namespace fcm::bench
