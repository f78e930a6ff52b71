// data verify
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "apps/commands.h"
#include "apps/results.h"
#include "fcm/base/error.h"
#include "fcm/loader/dataset.h"

namespace fcm::apps {
namespace {

struct Bad {
  int64_t index;
  std::string reason;
};

// Decodes every picture and returns those that cannot be, in the order of the set.
std::vector<Bad> unreadable(const loader::Dataset& dataset, int64_t threads, const char* split,
                            Reporter& reporter) {
  std::vector<Bad> bad;
  std::mutex mutex;
  std::atomic<int64_t> next{0};
  const auto work = [&] {
    for (int64_t i = next++; i < dataset.size(); i = next++) {
      try {
        dataset.get(i, 3);
      } catch (const Error& error) {
        const std::lock_guard lock(mutex);
        bad.push_back({i, error.what()});
      }
      constexpr int64_t kPicturesPerMessage = 1000;
      if (i % kPicturesPerMessage == 0) {
        reporter.progress(fmt::format("{}: {} of {} pictures", split, i, dataset.size()));
      }
    }
  };
  {
    std::vector<std::jthread> workers;
    for (int64_t t = 0; t < threads; ++t) workers.emplace_back(work);
  }
  std::sort(bad.begin(), bad.end(), [](const Bad& a, const Bad& b) { return a.index < b.index; });
  return bad;
}

// The pictures of a split, or why there are none.
struct Opened {
  std::unique_ptr<loader::Dataset> dataset;
  std::optional<Error> fault;
};

Opened open_split(const std::string& data, loader::Split split) {
  Opened opened;
  try {
    opened.dataset = loader::open_dataset(data, split);
  } catch (const Error& error) {
    opened.fault = error;
  }
  return opened;
}

// A file or a folder without train/ and val/ answers for both.
bool same_pictures(const loader::Dataset& a, const loader::Dataset& b) {
  return a.size() == b.size() && (a.size() == 0 || a.name(0) == b.name(0));
}

}  // namespace

int run_data_command(const Options& options, Reporter& reporter) {
  Opened train = open_split(options.data, loader::Split::kTrain);
  Opened val = open_split(options.data, loader::Split::kVal);
  if (!train.dataset && !val.dataset) throw *train.fault;
  if (train.dataset && val.dataset && same_pictures(*train.dataset, *val.dataset)) {
    val.dataset.reset();
  }
  const int64_t threads = options.threads > 0
                              ? options.threads
                              : std::max<int64_t>(1, std::thread::hardware_concurrency());
  nlohmann::json result = {{"data", options.data}, {"bad", 0}};
  int64_t images = 0, bad_images = 0;
  for (const auto& [name, opened] : {std::pair{"train", &train}, std::pair{"val", &val}}) {
    if (!opened->dataset) {
      if (opened->fault)
        reporter.info(fmt::format("no {} pictures: {}", name, opened->fault->what()));
      continue;
    }
    const loader::Dataset& dataset = *opened->dataset;
    const std::vector<Bad> bad = unreadable(dataset, threads, name, reporter);
    nlohmann::json samples = nlohmann::json::array();
    for (const Bad& one : bad) {
      reporter.warn(one.reason);
      samples.push_back({{"name", dataset.name(one.index)}, {"reason", one.reason}});
    }
    result[name] = {
        {"images", dataset.size()}, {"classes", dataset.classes().size()}, {"bad", bad.size()}};
    if (options.json) result[name]["bad_images"] = samples;
    images += dataset.size();
    bad_images += std::ssize(bad);
  }
  result["images"] = images;
  result["bad"] = bad_images;
  print_result(result, options.json);
  return static_cast<int>(bad_images == 0 ? ExitCode::kDone : ExitCode::kData);
}

}  // namespace fcm::apps
