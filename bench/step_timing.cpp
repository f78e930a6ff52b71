#include "bench/step_timing.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "fcm/base/file.h"
#include "fcm/base/stopwatch.h"
#include "fcm/dist/part.h"
#include "fcm/dist/reducer.h"
#include "fcm/ops/cuda/device.h"
#include "fcm/ops/peak/peak.h"
#include "fcm/recipe/setup.h"
#include "fcm/viz/chart.h"

namespace fcm::bench {
namespace {

double whole(const Parts& parts) {
  double sum = 0;
  for (const auto& [name, seconds] : parts) sum += seconds;
  return sum;
}

nlohmann::json describe(const Implementation& implementation, double batch, double flops_per_image,
                        double peak_flops) {
  std::vector<double> seconds, speeds;
  for (const Parts& parts : implementation.timed) {
    seconds.push_back(whole(parts));
    speeds.push_back(batch / seconds.back());
  }
  nlohmann::json parts = nlohmann::json::object();
  for (size_t i = 0; i < implementation.timed.front().size(); ++i) {
    std::vector<double> values;
    for (const Parts& step : implementation.timed) values.push_back(step[i].second);
    parts[implementation.timed.front()[i].first] = median(values);
  }
  return {{"images_per_second", to_json(spread_of(speeds))},
          {"seconds_per_step", to_json(spread_of(seconds))},
          {"peak_memory_bytes", implementation.peak_memory},
          {"activation_bytes_per_image", implementation.saved_bytes / batch},
          {"utilisation", flops_per_image * median(speeds) / peak_flops},
          {"parts", parts}};
}

void time_one(Implementation& implementation, at::Device device, bool counts) {
  train::reset_peak_memory(device);
  const Parts parts = implementation.step();
  // A warm-up step does not count: on a GPU it also tries algorithms for products, which takes
  // memory.
  if (!counts) return;
  implementation.timed.push_back(parts);
  implementation.peak_memory =
      std::max(implementation.peak_memory, train::peak_memory_bytes(device));
}

// Seconds of the all-reduce of gradients by itself, in the reducer's bucket sizes. On one machine
// each rank sums its part of the gradients, as in a training step.
double all_reduce_seconds(dist::Group& group, int64_t elements) {
  constexpr int64_t kBucket = dist::Reducer::kBucketBytes / static_cast<int64_t>(sizeof(float));
  constexpr int kRounds = 5;
  const at::Tensor gradients = group.make_buffer(elements, at::TensorOptions(at::kFloat));
  const dist::Part mine = group.ranks_here() == group.size()
                              ? dist::part_of_rank(group.rank(), group.size(), elements)
                              : dist::Part{0, elements};
  std::vector<double> seconds;
  for (int round = 0; round <= kRounds; ++round) {  // the first round warms up
    group.agree(0, dist::Agree::kMax);              // all ranks start together
    const Stopwatch watch;
    std::vector<std::unique_ptr<dist::Pending>> sums;
    for (int64_t begin = 0; begin < elements; begin += kBucket) {
      const int64_t end = std::min(begin + kBucket, elements);
      sums.push_back(group.start_sum_of_part(gradients.slice(0, begin, end),
                                             dist::part_within(mine, begin, end)));
    }
    for (const auto& sum : sums) sum->wait();
    if (round > 0) seconds.push_back(watch.seconds());
  }
  return median(seconds);
}

}  // namespace

nlohmann::json to_json(const Spread& spread) {
  return {{"min", spread.min}, {"median", spread.median}, {"max", spread.max}};
}

void Laps::lap(const char* name) {
  train::wait_for(device_);
  parts.emplace_back(name, watch_.seconds());
  watch_.restart();
}

double allocated_bytes(at::Device device) {
  if (device.is_cuda()) return static_cast<double>(ops::cuda_memory().in_use);
  const struct mallinfo2 info = mallinfo2();
  return static_cast<double>(info.uordblks) + static_cast<double>(info.hblkhd);
}

std::string step_timeline(const std::vector<PhaseSpan>& phases,
                          const std::vector<TimedAllReduce>& sums, const std::string& title) {
  constexpr double kMilliseconds = 1e3;
  viz::Timeline chart{title, "ms", {}, 720};
  viz::TimelineRow steps{"step", {}, true};
  for (const PhaseSpan& phase : phases) {
    steps.spans.push_back({phase.begin * kMilliseconds, phase.end * kMilliseconds, phase.name});
  }
  chart.rows.push_back(steps);
  // All-reduces may overlap: each goes to the first row that is free.
  std::vector<viz::TimelineRow> rows;
  for (const TimedAllReduce& sum : sums) {
    const viz::Span span{sum.begin * kMilliseconds, sum.end * kMilliseconds,
                         fmt::format("{:.0f} MB", static_cast<double>(sum.bytes) * 1e-6)};
    const auto free = std::find_if(rows.begin(), rows.end(), [&](const viz::TimelineRow& row) {
      return row.spans.back().end <= span.begin;
    });
    if (free != rows.end()) {
      free->spans.push_back(span);
    } else {
      rows.push_back({rows.empty() ? "all-reduces" : "", {span}, false});
    }
  }
  chart.rows.insert(chart.rows.end(), rows.begin(), rows.end());
  return viz::timeline(chart, viz::ChartUse::kFile);
}

nlohmann::json time_steps(const BenchStepRequest& request, Implementation& fast,
                          Implementation* reference, const StepFacts& facts, Reporter& reporter,
                          TimedGroup* timed) {
  const auto ranks = static_cast<double>(request.machine.group->size());
  const double peak_flops = ranks * ops::peak_flops(facts.compute, facts.device);
  dist::Group& group = *request.machine.group;
  double waited_before = 0;
  for (int64_t step = 0; step <= request.steps; ++step) {  // the first step warms up
    if (step == 1) waited_before = group.waited_seconds();
    if (request.implementation != "reference") time_one(fast, facts.device, step > 0);
    if (reference != nullptr) time_one(*reference, facts.device, step > 0);
    reporter.progress(fmt::format("bench step: {} of {}", step, request.steps));
  }
  const double waited =
      (group.waited_seconds() - waited_before) / static_cast<double>(request.steps);
  nlohmann::json implementations;
  const auto add = [&](const char* name, Implementation* implementation) {
    if (implementation == nullptr || implementation->timed.empty()) return;
    implementation->saved_bytes *= ranks;  // for the whole batch
    implementations[name] = describe(*implementation, static_cast<double>(request.batch),
                                     facts.flops_per_image, peak_flops);
  };
  add("fast", &fast);
  add("reference", reference);
  nlohmann::json result = {{"implementations", implementations},
                           {"batch", request.batch},
                           {"precision", recipe::compute_name(facts.compute)},
                           {"threads", facts.threads},
                           {"processes", request.machine.group->size()},
                           {"device", facts.device.str()},
                           {"peak_flops", peak_flops},
                           {"flops_per_image", facts.flops_per_image},
                           {"parameters", facts.parameters}};
  if (group.size() > 1) {
    const double alone = all_reduce_seconds(group, facts.parameters);
    result["communication"] = {
        {"alone", alone}, {"waited", waited}, {"hidden", std::clamp(1 - waited / alone, 0.0, 1.0)}};
  }
  if (timed != nullptr) {
    timed->record();
    fast.step();
    const std::string image =
        step_timeline(fast.phases, timed->sums(),
                      fmt::format("A step of {} processes, batch {}", group.size(), request.batch));
    if (group.writes()) write_file_durably(request.timeline, image, ExitCode::kUsage);
  }
  if (request.profile) {  // on a GPU the times are those of enqueueing
    Profile profile;
    fast.profile = &profile;
    for (int64_t step = 0; step < request.steps; ++step) fast.step();
    const double memory = ops::peak_bytes_per_second(facts.device);
    result["profile"] = profile.table(peak_flops, memory);
    result["peak_gbytes_per_second"] = memory * 1e-9;
  }
  if (implementations.size() == 2) {
    const auto speed = [&](const char* name) {
      return implementations.at(name).at("images_per_second").at("median").get<double>();
    };
    result["ratio"] = speed("fast") / speed("reference");
  }
  return result;
}

}  // namespace fcm::bench
