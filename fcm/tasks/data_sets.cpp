// data verify, data pack
#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>

#include "fcm/base/error.h"
#include "fcm/loader/dataset.h"
#include "fcm/loader/in_order.h"
#include "fcm/loader/sources/checksum.h"
#include "fcm/loader/sources/packed_writer.h"
#include "fcm/tasks/machine.h"
#include "fcm/tasks/tasks.h"

namespace fcm::tasks {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

struct OpenedSplit {
  const char* name;  // "train" or "val"
  loader::PackedSplit split;
  std::unique_ptr<loader::Dataset> dataset;
};

// A file or a folder without train/ and val/ answers for both.
bool same_pictures(const loader::Dataset& a, const loader::Dataset& b) {
  return a.size() == b.size() && (a.size() == 0 || a.name(0) == b.name(0));
}

// The splits there are, each picture in one of them. Throws what opening the training split throws
// where there are none.
std::vector<OpenedSplit> open_splits(const std::string& data, const Machine& machine,
                                     Reporter& reporter) {
  std::vector<OpenedSplit> opened;
  std::vector<std::string> absent;
  std::optional<Error> first_fault;
  for (const auto& [name, split, packed] :
       {std::tuple{"train", loader::Split::kTrain, loader::PackedSplit::kTrain},
        std::tuple{"val", loader::Split::kVal, loader::PackedSplit::kVal}}) {
    try {
      opened.push_back({name, packed, loader::open_dataset(data, split, open_options(machine))});
    } catch (const Error& error) {
      absent.push_back(fmt::format("no {} pictures: {}", name, error.what()));
      if (!first_fault) first_fault = error;
    }
  }
  if (opened.empty()) throw *first_fault;
  for (const std::string& why : absent) reporter.info(why);
  if (opened.size() == 2 && same_pictures(*opened[0].dataset, *opened[1].dataset)) {
    opened.pop_back();
    opened[0].split = loader::PackedSplit::kBoth;
  }
  return opened;
}

// A picture after work on it, or why there was none to do.
template <class Result>
struct Outcome {
  std::optional<Result> result;
  std::string fault;
};

// Calls work(sample) for every picture of a split, with its label, on several threads and
// take(index, result) in order; returns those that cannot be read or worked on.
template <class Work, class Take>
json for_each_picture(const OpenedSplit& split, int64_t threads, Reporter& reporter,
                      const Work& work, const Take& take) {
  using Result = std::invoke_result_t<const Work&, loader::Sample>;
  const loader::Dataset& dataset = *split.dataset;
  json bad = json::array();
  const auto make = [&](int64_t i) -> Outcome<Result> {
    try {
      return {work(dataset.sample(i, 3, loader::TargetKind::kLabel)), ""};
    } catch (const Error& error) {
      if (error.code() != ExitCode::kData) throw;
      return {std::nullopt, error.what()};
    }
  };
  loader::for_each_in_order(dataset.size(), threads, make, [&](int64_t i, Outcome<Result> outcome) {
    if (outcome.result) {
      take(i, std::move(*outcome.result));
    } else {
      reporter.warn(outcome.fault);
      bad.push_back({{"name", dataset.name(i)}, {"reason", outcome.fault}});
    }
    constexpr int64_t kPicturesPerMessage = 100;
    if (i % kPicturesPerMessage == 0) {
      reporter.progress(fmt::format("{}: {} of {} pictures", split.name, i, dataset.size()));
    }
  });
  return bad;
}

void add_split(json& result, const OpenedSplit& split, const json& bad) {
  result[split.name] = {{"images", split.dataset->size()},
                        {"classes", split.dataset->classes().size()},
                        {"bad", bad.size()},
                        {"bad_images", bad}};
  result["images"] = result["images"].get<int64_t>() + split.dataset->size();
  result["bad"] = result["bad"].get<int64_t>() + static_cast<int64_t>(bad.size());
}

// What a picture of `data` goes by in the packed file: without where `data` happens to lie.
std::string key_of(const std::string& name, const std::string& data) {
  if (!name.starts_with(data)) return name;
  const size_t begin = name.find_first_not_of("/:", data.size());
  return begin == std::string::npos ? name : name.substr(begin);
}

struct Encoded {
  std::string bytes;
  uint64_t checksum;
  int64_t label;
};

// Fails where one of the splits has no picture left: who asks for it later would find it missing.
json pack_split(const OpenedSplit& split, const PackRequest& request, int64_t threads,
                loader::PackedWriter& writer, Reporter& reporter) {
  writer.begin(split.split, split.dataset->classes());
  const auto encode = [&](loader::Sample sample) {
    std::string bytes = loader::packed_picture(std::move(sample.picture), request.form);
    const uint64_t sum = loader::checksum(bytes);
    return Encoded{std::move(bytes), sum, std::get<loader::Label>(sample.target).class_number};
  };
  json bad =
      for_each_picture(split, threads, reporter, encode, [&](int64_t i, const Encoded& picture) {
        writer.add(picture.bytes, picture.checksum, picture.label,
                   key_of(split.dataset->name(i), request.data));
      });
  if (static_cast<int64_t>(bad.size()) == split.dataset->size()) {
    fail(ExitCode::kData, "no {} picture of {} can be read; the first: {}", split.name,
         request.data, bad[0]["reason"].get<std::string>());
  }
  return bad;
}

}  // namespace

json verify_data(const std::string& data, Machine machine, Reporter& reporter) {
  const int64_t threads = set_up_machine(machine);
  json result = {{"data", data}, {"images", 0}, {"bad", 0}};
  for (const OpenedSplit& split : open_splits(data, machine, reporter)) {
    const auto nothing = [](const loader::Sample&) { return true; };
    add_split(result, split,
              for_each_picture(split, threads, reporter, nothing, [](int64_t, bool) {}));
  }
  return result;
}

json pack_data(const PackRequest& request, Reporter& reporter) {
  const int64_t threads = set_up_machine(request.machine);
  if (std::error_code ignored; !request.overwrite && fs::exists(request.out, ignored)) {
    fail(ExitCode::kUsage, "{} exists already; name another file or add --overwrite",
         request.out.string());
  }
  if (std::error_code ignored;
      fs::exists(request.out, ignored) && !fs::is_regular_file(request.out, ignored)) {
    fail(ExitCode::kUsage, "{} is not an ordinary file, and is not replaced; name another file",
         request.out.string());
  }
  const std::vector<OpenedSplit> splits = open_splits(request.data, request.machine, reporter);
  loader::PackedWriter writer(request.out, request.form.kind);
  json result = {{"data", request.data}, {"images", 0}, {"bad", 0}};
  for (const OpenedSplit& split : splits) {
    add_split(result, split, pack_split(split, request, threads, writer, reporter));
  }
  result["bytes"] = writer.finish();
  result["out"] = request.out.string();
  return result;
}

}  // namespace fcm::tasks
