// Finds the fastest setting for a recipe on this machine by timing real steps.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "bench/bench.h"
#include "fcm/base/stopwatch.h"
#include "fcm/recipe/setup.h"
#include "fcm/tasks/machine.h"
#include "fcm/train/meters.h"

namespace fcm::bench {
namespace {

struct Setting {
  int64_t micro_batch = 1;
  int64_t threads = 1;
  std::string precision;

  auto operator<=>(const Setting&) const = default;
};

struct Trial {
  Setting setting;
  double images_per_second = 0;
};

class Tuner {
 public:
  Tuner(const BenchTuneRequest& request, Reporter& reporter)
      : request_(request), reporter_(reporter) {}

  // Doubles the micro-batch until that no longer helps. Then tries the other dtype, if the device
  // has bf16. Then, on a CPU, halves the threads until that no longer helps: fewer threads may be
  // faster if memory limits a step or other programs use the cores.
  void run(int64_t threads, at::Device device) {
    const recipe::Recipe& recipe = request_.recipe;
    const at::ScalarType own = recipe::compute_type(recipe.model.precision, device);
    Setting setting{1, threads, recipe::compute_name(own)};
    // Batch normalisation of a segmenter needs two images.
    if (recipe.is<recipe::Segment>()) setting.micro_batch = 2;
    const int64_t most = most_images(recipe, own, device);
    while (try_one(setting) && setting.micro_batch * 2 <= most) {
      if (tried_.size() >= 3 && best().setting.micro_batch * 4 <= setting.micro_batch) break;
      setting.micro_batch *= 2;
    }
    setting = best().setting;
    Setting other = setting;
    other.precision = own == at::kFloat ? "bf16" : "fp32";
    if (recipe::compute_type("auto", device) == at::kBFloat16) try_one(other);
    for (other = best().setting; device.is_cpu() && other.threads > 1;) {
      other.threads /= 2;
      if (!try_one(other) || best().setting != other) break;
    }
  }

  const Trial& best() const {
    return *std::ranges::max_element(tried_, {}, &Trial::images_per_second);
  }
  const std::vector<Trial>& tried() const { return tried_; }

 private:
  // The largest micro-batch to try: a whole batch, or as many images as training would take.
  static int64_t most_images(const recipe::Recipe& recipe, at::ScalarType compute,
                             at::Device device) {
    recipe::Recipe unlimited = recipe;
    unlimited.optim.micro_batch = 0;
    const double memory = train::total_memory_bytes(device);
    return std::max<int64_t>(1, recipe::choose_micro_batch(unlimited, compute, memory));
  }

  // Returns whether there was time to measure the setting; the first two are always measured.
  bool try_one(const Setting& setting) {
    if (tried_.size() > 1 && watch_.seconds() > request_.seconds) return false;
    BenchStepRequest step;
    step.recipe = request_.recipe;
    step.recipe.optim.micro_batch = 0;
    step.batch = setting.micro_batch;
    step.precision = setting.precision;
    step.implementation = "fast";
    step.steps = 2;
    step.machine = request_.machine;
    step.machine.threads = setting.threads;
    SilentReporter silence;
    const nlohmann::json result = bench_step(step, silence);
    tried_.push_back({setting, result.at("implementations")
                                   .at("fast")
                                   .at("images_per_second")
                                   .at("median")
                                   .get<double>()});
    reporter_.info(fmt::format("{} images in a pass, {}, {} threads: {:.3g} images/s",
                               setting.micro_batch, setting.precision, setting.threads,
                               tried_.back().images_per_second));
    return true;
  }

  const BenchTuneRequest& request_;
  Reporter& reporter_;
  Stopwatch watch_;
  std::vector<Trial> tried_;
};

nlohmann::json as_json(const Trial& trial) {
  return {{"micro_batch", trial.setting.micro_batch},
          {"threads", trial.setting.threads},
          {"precision", trial.setting.precision},
          {"images_per_second", trial.images_per_second}};
}

// Command-line flags that select the setting.
std::string flags_for(const Setting& setting, const recipe::Recipe& recipe, at::Device device) {
  std::string flags = fmt::format("--set optim.micro_batch={}", setting.micro_batch);
  const std::string own =
      recipe::compute_name(recipe::compute_type(recipe.model.precision, device));
  if (setting.precision != own) flags += " --set model.precision=" + setting.precision;
  if (device.is_cpu()) flags += fmt::format(" --threads {}", setting.threads);
  return flags;
}

}  // namespace

nlohmann::json bench_tune(const BenchTuneRequest& request, Reporter& reporter) {
  const int64_t threads = tasks::set_up_machine(request.machine);
  const at::Device device = tasks::device_of(request.machine);
  Tuner tuner(request, reporter);
  tuner.run(threads, device);
  const Trial& best = tuner.best();
  nlohmann::json result = {{"best", as_json(best)},
                           {"flags", flags_for(best.setting, request.recipe, device)},
                           {"device", device.str()},
                           {"tried", nlohmann::json::array()}};
  for (const Trial& trial : tuner.tried()) result["tried"].push_back(as_json(trial));
  if (!request.data.empty()) {
    BenchLoaderRequest loader{request.data, std::nullopt, request.seconds / 10, request.machine};
    if (!request.recipe.is<recipe::Pretrain>() && !request.recipe.is<recipe::Classify>()) {
      loader.recipe = request.recipe;
    }
    loader.machine.threads = best.setting.threads;
    const nlohmann::json speed = bench_loader(loader, reporter);
    const double images = speed.at("images").get<double>();
    const double loader_speed = speed.at("images_per_second").get<double>();
    result["loader_images_per_second"] = loader_speed;
    // On a CPU the loader's threads compete with the step for the cores.
    const double step_seconds = 1 / best.images_per_second, load_seconds = 1 / loader_speed;
    const double seconds =
        device.is_cpu() ? step_seconds + load_seconds : std::max(step_seconds, load_seconds);
    result["hours_per_epoch"] = images * seconds / 3600;
  }
  return result;
}

}  // namespace fcm::bench
