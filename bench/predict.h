// Two implementations of one prediction, timed alternately.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "bench/bench.h"
#include "fcm/image/image.h"

namespace fcm::bench {

// Noise, the same in every run.
image::Image noise_image(int64_t rows, int64_t cols, int64_t channels);

struct TimedForms {
  std::function<void()> fast, reference;
};
// The requested implementations, timed alternately after one warm-up call each: "size",
// "precision", "seconds" of each; for both also "ratio".
nlohmann::json time_forms(const TimedForms& forms, const BenchPredictRequest& request,
                          at::ScalarType compute, Reporter& reporter);

// By task; `recipe` is the request's with its precision set.
nlohmann::json bench_segmenter_predict(const BenchPredictRequest& request,
                                       const recipe::Recipe& recipe, Reporter& reporter);
nlohmann::json bench_detector_predict(const BenchPredictRequest& request,
                                      const recipe::Recipe& recipe, Reporter& reporter);

}  // namespace fcm::bench
