#include "bench/profile.h"

#include <ATen/record_function.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "fcm/base/error.h"

namespace fcm::bench {
namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

constexpr double kSmall = 0.002;  // share of the total below which operators share a row

// LibTorch's callbacks are plain functions and find the profile here.
thread_local Profile* listening = nullptr;

struct Heard : at::ObserverContext {};

// The autograd engine wraps every operator that it calls in a function of its own, which is not an
// operator.
std::unique_ptr<at::ObserverContext> library_begins(const at::RecordFunction& function) {
  if (listening == nullptr) return nullptr;
  if (std::string_view(function.name()).starts_with("autograd::engine")) return nullptr;
  listening->begin();
  return std::make_unique<Heard>();
}

void library_ends(const at::RecordFunction& function, at::ObserverContext* context) {
  if (context != nullptr && listening != nullptr) listening->end({function.name(), 0, 0, 0, 0});
}

}  // namespace

Profile::Profile() {
  require(listening == nullptr,
          "Profile: expected one at a time on a thread, another one is still active");
  listening = this;
  ops::listen(this);
  handle_ = at::addThreadLocalCallback(at::RecordFunctionCallback(&library_begins, &library_ends)
                                           .scopes({at::RecordScope::FUNCTION}));
}

Profile::~Profile() {
  at::removeCallback(handle_);
  ops::listen(nullptr);
  listening = nullptr;
}

void Profile::begin() {
  if (depth_++ == 0) outermost_since_ = now();
}

void Profile::end(const ops::Work& work) {
  if (--depth_ > 0) return;
  std::string part = work.name;
  if (work.inputs > 0) part += fmt::format(" {} -> {}", work.inputs, work.outputs);
  Line& line = lines_[{phase_, part}];
  ++line.calls;
  line.seconds += now() - outermost_since_;
  line.flops += work.flops;
  line.bytes += work.bytes;
}

void Profile::phase(const char* name) {
  const double time = now();
  if (!phase_.empty()) seconds_[phase_] += time - since_;
  phase_ = name;
  since_ = time;
}

nlohmann::json Profile::table(double peak_flops, double peak_bytes_per_second) const {
  std::vector<std::pair<std::pair<std::string, std::string>, Line>> rows;
  std::map<std::string, double> rest = seconds_;
  std::map<std::string, Line> small_lines;
  double total = 0;
  for (const auto& [phase, seconds] : seconds_) total += seconds;
  for (const auto& [key, line] : lines_) {
    if (!rest.contains(key.first)) continue;  // between the phases
    rest[key.first] -= line.seconds;
    Line& small = small_lines[key.first];
    if (line.seconds < kSmall * total) {
      small.calls += line.calls;
      small.seconds += line.seconds;
    } else {
      rows.emplace_back(key, line);
    }
  }
  for (const auto& [phase, line] : small_lines) {
    rows.push_back({{phase, fmt::format("all below {} %", 100 * kSmall)}, line});
  }
  for (const auto& [phase, seconds] : rest) {
    rows.push_back({{phase, "not named"}, Line{1, seconds, 0, 0}});
  }
  std::ranges::sort(rows, std::greater{}, [](const auto& row) { return row.second.seconds; });
  nlohmann::json table = nlohmann::json::array();
  for (const auto& [key, line] : rows) {
    nlohmann::json row = {{"phase", key.first},
                          {"part", key.second},
                          {"calls", line.calls},
                          {"seconds", line.seconds},
                          {"share", line.seconds / total},
                          {"gflops", line.flops / line.seconds * 1e-9},
                          {"gbytes_per_second", line.bytes / line.seconds * 1e-9}};
    const double product = line.flops / line.seconds / peak_flops;
    const double memory = line.bytes / line.seconds / peak_bytes_per_second;
    row["peak_share"] = std::max(product, memory);
    table.push_back(row);
  }
  return table;
}

}  // namespace fcm::bench
