#include "bench/predict.h"

#include <fmt/format.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "bench/step_timing.h"
#include "fcm/base/error.h"
#include "fcm/base/random.h"
#include "fcm/recipe/check.h"
#include "fcm/recipe/setup.h"
#include "fcm/tasks/machine.h"
#include "fcm/train/meters.h"

namespace fcm::bench {

image::Image noise_image(int64_t rows, int64_t cols, int64_t channels) {
  image::Image image{rows, cols, channels, {}};
  KeyedRandom random(0, Purpose::kSynthetic, 0, 1);
  image.pixels.resize(static_cast<size_t>(rows * cols * channels));
  for (uint8_t& value : image.pixels) value = static_cast<uint8_t>(random.below(256));
  return image;
}

nlohmann::json time_forms(const TimedForms& forms, const BenchPredictRequest& request,
                          at::ScalarType compute, Reporter& reporter) {
  std::map<std::string, std::vector<double>> seconds;
  for (int64_t round = 0; round <= request.rounds; ++round) {  // the first one warms up
    for (const auto& [name, form] :
         {std::pair{"fast", &forms.fast}, std::pair{"reference", &forms.reference}}) {
      if (request.implementation != "both" && request.implementation != name) continue;
      const Stopwatch watch;
      (*form)();
      if (round > 0) seconds[name].push_back(watch.seconds());
    }
    reporter.progress(fmt::format("bench predict: {} of {}", round, request.rounds));
  }
  nlohmann::json result = {{"size", request.size}, {"precision", recipe::compute_name(compute)}};
  for (const auto& [name, times] : seconds) result["seconds"][name] = to_json(spread_of(times));
  if (seconds.size() == 2) {
    result["ratio"] = median(seconds.at("reference")) / median(seconds.at("fast"));
  }
  return result;
}

nlohmann::json bench_predict(const BenchPredictRequest& request, Reporter& reporter) {
  const int64_t threads = tasks::set_up_machine(request.machine);
  recipe::Recipe recipe = request.recipe;
  if (!request.precision.empty()) recipe.model.precision = request.precision;
  recipe::check(recipe);
  const at::NoGradGuard no_grad;
  nlohmann::json result;
  if (recipe.is<recipe::Segment>()) {
    result = bench_segmenter_predict(request, recipe, reporter);
  } else if (recipe.is<recipe::Detect>()) {
    result = bench_detector_predict(request, recipe, reporter);
  } else {
    fail(ExitCode::kUsage,
         "bench predict measures recipes of segmentation and detection, and {} is neither; a "
         "classifier's speed is measured by eval --latency",
         recipe.row.name);
  }
  result["threads"] = threads;
  result["device"] = tasks::device_of(request.machine).str();
  return result;
}

}  // namespace fcm::bench
