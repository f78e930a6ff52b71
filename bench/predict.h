// Two forms of one answer, timed in turns.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "bench/bench.h"
#include "fcm/image/image.h"

namespace fcm::bench {

// Made up, the same in every run.
image::Image noise_picture(int64_t rows, int64_t cols, int64_t channels);

struct TimedForms {
  std::function<void()> fast, reference;
};
// The recipe's names and "seconds" of the forms that the request asks for, in turns, after one call
// of each that is not timed; of both also "ratio".
nlohmann::json time_forms(const TimedForms& forms, const BenchPredictRequest& request,
                          at::ScalarType compute, Reporter& reporter);

// By kind of recipe; `recipe` is the request's with its precision.
nlohmann::json bench_segmenter_predict(const BenchPredictRequest& request,
                                       const recipe::Recipe& recipe, Reporter& reporter);
nlohmann::json bench_detector_predict(const BenchPredictRequest& request,
                                      const recipe::Recipe& recipe, Reporter& reporter);

}  // namespace fcm::bench
