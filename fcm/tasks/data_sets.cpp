// The commands data verify and data pack.
#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "fcm/base/counted.h"
#include "fcm/base/error.h"
#include "fcm/base/progress.h"
#include "fcm/loader/dataset.h"
#include "fcm/loader/in_order.h"
#include "fcm/loader/sources/checksum.h"
#include "fcm/loader/sources/image_ending.h"
#include "fcm/loader/sources/packed_writer.h"
#include "fcm/loader/sources/sources.h"
#include "fcm/tasks/content_sample.h"
#include "fcm/tasks/data.h"
#include "fcm/tasks/machine.h"
#include "fcm/tasks/output_file.h"
#include "fcm/tasks/tasks.h"

namespace fcm::tasks {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

struct OpenedSplit {
  const char* name;  // "train" or "val"
  loader::PackedSplit split;
  std::shared_ptr<const loader::Dataset> dataset;
};

// Whether two splits are taken to have the same images, because their numbers of images and the
// names of their first images are equal. So it is for a file, and for a folder without train/ and
// val/.
bool same_images(const loader::Dataset& a, const loader::Dataset& b) {
  return a.size() == b.size() && (a.size() == 0 || a.name(0) == b.name(0));
}

// Number of images by file ending; images without an ending (in shards, in records) are not
// counted. If endings correlate with classes, a network can learn the classes from compression
// artifacts.
std::map<std::string, int64_t> endings_of(const loader::Dataset& dataset) {
  std::map<std::string, int64_t> endings;
  for (int64_t i = 0; i < dataset.size(); ++i) {
    const std::string name = dataset.name(i);
    const std::string_view ending = loader::ending_of(name);
    if (loader::is_image_ending(ending)) ++endings[loader::lower_case(ending)];
  }
  return endings;
}

// Reports the remarks on the splits, each once, the endings of files if they differ, and unusable
// labels.
void say_remarks(const std::string& data, const std::vector<OpenedSplit>& opened,
                 Reporter& reporter) {
  std::vector<std::string> said;
  for (const OpenedSplit& split : opened) {
    for (const std::string& line : remark_lines(*split.dataset)) {
      if (std::ranges::find(said, line) != said.end()) continue;
      reporter.info(fmt::format("{} ({}): {}", data, split.name, line));
      said.push_back(line);
    }
    for (const std::string& line : split.dataset->remarks().warnings) {
      if (std::ranges::find(said, line) != said.end()) continue;
      reporter.warn(fmt::format("{} ({}): {}", data, split.name, line));
      said.push_back(line);
    }
    if (const auto endings = endings_of(*split.dataset); endings.size() > 1) {
      std::string text;
      for (const auto& [ending, count] : endings) {
        text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, ending);
      }
      reporter.info(fmt::format("{} ({}): images by ending: {}", data, split.name, text));
    }
    const loader::Remarks& remarks = split.dataset->remarks();
    if (remarks.bad_labels == 0) continue;
    reporter.warn(fmt::format(
        "{} ({}): {} of {} {} no usable label; the first: "
        "{}",
        data, split.name, remarks.bad_labels, counted(split.dataset->size(), "image", "images"),
        noun(remarks.bad_labels, "has", "have"), remarks.first_bad_label));
  }
}

// Opens the splits that exist; if both have the same images, returns only one. If opening a split
// that exists fails, throws its error; if there is no split, throws the error of the training
// split.
std::vector<OpenedSplit> open_splits(const std::string& data, const MachineOptions& machine,
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
      if (loader::has_split(data, split)) throw;  // the split exists and is faulty
      absent.push_back(fmt::format("no {} images: {}", name, error.what()));
      if (!first_fault) first_fault = error;
    }
  }
  if (opened.empty()) throw *first_fault;
  for (const std::string& why : absent) reporter.info(why);
  if (opened.size() == 2 && same_images(*opened[0].dataset, *opened[1].dataset)) {
    opened.pop_back();
    opened[0].split = loader::PackedSplit::kBoth;
  }
  say_remarks(data, opened, reporter);
  return opened;
}

// The result of the work on an image, or why it failed.
template <class Result>
struct Outcome {
  std::optional<Result> result;
  std::string fault;
};

// Calls work(index, sample) for every image of a split on several threads, and take(index, result)
// in order. An unusable label is -1, and does not count as a fault of the image. Returns the images
// that cannot be read or processed.
template <class Work, class Take>
json for_each_image(const OpenedSplit& split, int64_t threads, Reporter& reporter, const Work& work,
                    const Take& take) {
  using Result = std::invoke_result_t<const Work&, int64_t, loader::Sample>;
  const loader::Dataset& dataset = *split.dataset;
  const auto labelled = with_optional_labels(split.dataset);
  json bad = json::array();
  Progress progress(reporter, split.name, dataset.size());
  const auto make = [&](int64_t i) -> Outcome<Result> {
    try {
      return {work(i, labelled->sample(i, 3, loader::TargetKind::kLabel)), ""};
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
    progress.add(1);
  });
  return bad;
}

// Unusable labels of a split.
struct BadLabels {
  int64_t count = 0;
  std::string first;

  explicit BadLabels(const loader::Remarks& remarks)
      : count(remarks.bad_labels), first(remarks.first_bad_label) {}
  void add(const std::string& fault) {
    if (count++ == 0) first = fault;
  }
};

void add_split(json& result, const OpenedSplit& split, const json& bad, const BadLabels& labels) {
  const loader::Remarks& remarks = split.dataset->remarks();
  const bool is_second = result.contains("left_out");
  json left_out = json::array();
  for (const auto& [kind, example, count] : remarks.left_out.kinds()) {
    left_out.push_back({{"kind", kind}, {"count", count}, {"example", example}});
  }
  result[split.name] = {{"images", split.dataset->size()},
                        {"classes", split.dataset->classes().size()},
                        {"bad", bad.size()},
                        {"bad_images", bad},
                        {"bad_labels", labels.count},
                        {"endings", endings_of(*split.dataset)},
                        {"left_out", left_out},
                        {"notes", remarks.notes},
                        {"warnings", remarks.warnings}};
  if (labels.count > 0) result[split.name]["first_bad_label"] = labels.first;
  const auto add = [&](const char* name, int64_t count) {
    result[name] = result.value(name, int64_t{0}) + count;
  };
  add("images", split.dataset->size());
  add("bad", static_cast<int64_t>(bad.size()));
  add("bad_labels", labels.count);
  // The remarks of both splits count files next to the split folders; count these only once.
  add("left_out",
      remarks.left_out.count() - (is_second ? remarks.left_out_of_both_splits.count() : 0));
}

// The name of an image in the packed file: its name without the path of `data`.
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

// Writes a split to the packed file. Fails if it has no readable image, since the packed file would
// then lack the split.
json pack_split(const OpenedSplit& split, const PackRequest& request, int64_t threads,
                loader::PackedWriter& writer, Reporter& reporter) {
  writer.begin(split.split, split.dataset->classes());
  const auto encode = [&](int64_t, loader::Sample sample) {
    std::string bytes = loader::packed_image(std::move(sample.image), request.form);
    const uint64_t sum = loader::checksum(bytes);
    return Encoded{std::move(bytes), sum, std::get<loader::Label>(sample.target).class_number};
  };
  json bad = for_each_image(split, threads, reporter, encode, [&](int64_t i, const Encoded& image) {
    writer.add(image.bytes, image.checksum, image.label,
               key_of(split.dataset->name(i), request.data));
  });
  if (static_cast<int64_t>(bad.size()) == split.dataset->size()) {
    fail(ExitCode::kData, "no {} image of {} can be read; the first: {}", split.name, request.data,
         bad[0]["reason"].get<std::string>());
  }
  return bad;
}

// Counts images of the second split that have the same pixels as an image of the first.
class SharedContents {
 public:
  void see(uint64_t content, const std::string& name, bool is_first) {
    if (is_first) {
      contents_.insert(content);
      return;
    }
    ++compared_;
    if (contents_.contains(content) && shared_++ == 0) example_ = name;
  }
  void put_into(json& result, const std::string& data, Reporter& reporter) const {
    result["shared"] = {{"images", shared_}};
    if (shared_ == 0) return;
    result["shared"]["example"] = example_;
    constexpr double kPercent = 100;
    reporter.warn(fmt::format(
        "{}: {} of the {} validation images ({:.1f} %) are training images too, for example {}",
        data, shared_, compared_,
        kPercent * static_cast<double>(shared_) / static_cast<double>(compared_), example_));
  }

 private:
  std::unordered_set<uint64_t> contents_;
  int64_t compared_ = 0, shared_ = 0;
  std::string example_;
};

// Counts images of a split that have the same pixels as an earlier image of it.
class RepeatedContents {
 public:
  void see(uint64_t content, int64_t index, int64_t label) {
    const auto [place, is_new] = first_.try_emplace(content, Seen{index, label});
    if (is_new) return;
    if (repeated_++ == 0) example_ = {place->second.index, index};
    if (label < 0 || place->second.label < 0 || label == place->second.label) return;
    if (conflicting_++ == 0) conflict_ = {place->second.index, index};
  }
  void put_into(json& result, const std::string& data, const OpenedSplit& split,
                Reporter& reporter) const {
    const loader::Dataset& dataset = *split.dataset;
    json& repeated = result[split.name]["repeated"];
    repeated = {{"images", repeated_}, {"other_class", conflicting_}};
    if (repeated_ == 0) return;
    const auto [first, second] = conflicting_ > 0 ? conflict_ : example_;
    repeated["example"] = {dataset.name(first), dataset.name(second)};
    std::string text = fmt::format(
        "{} ({}): {} of {} {} the same pixels as an earlier one", data, split.name, repeated_,
        counted(dataset.size(), "image", "images"), noun(repeated_, "has", "have"));
    if (conflicting_ == 0) {
      reporter.info(fmt::format("{} ({} and {})", text, dataset.name(first), dataset.name(second)));
      return;
    }
    const auto class_of = [&](int64_t index) {
      return dataset.classes().at(static_cast<size_t>(dataset.label(index)));
    };
    reporter.warn(fmt::format("{}, {} of them in another class: {} in {}, {} in {}", text,
                              conflicting_, dataset.name(first), class_of(first),
                              dataset.name(second), class_of(second)));
  }

 private:
  struct Seen {
    int64_t index, label;
  };
  std::unordered_map<uint64_t, Seen> first_;
  int64_t repeated_ = 0, conflicting_ = 0;
  // Indices of the first pair of images with the same pixels, and of the first such pair with
  // different classes.
  std::pair<int64_t, int64_t> example_, conflict_;
};

// Counts images whose EXIF orientation is not upright.
class OrientedImages {
 public:
  void see(int orientation, const std::string& name) {
    if (orientation != 1 && count_++ == 0) example_ = name;
  }
  void put_into(json& result, const std::string& data, const OpenedSplit& split,
                Reporter& reporter) const {
    const bool applied = split.dataset->applies_orientation();
    json& oriented = result[split.name]["oriented"];
    oriented = {{"images", count_}};
    if (count_ == 0) return;
    oriented["applied"] = applied;
    oriented["example"] = example_;
    reporter.info(fmt::format(
        "{} ({}): {} an EXIF orientation other than upright ({}); {}", data, split.name,
        counted(count_, "image has", "images have"), example_,
        applied ? "it is applied: they are read upright"
                : "it is not applied, as in torchvision: they are read as they are stored"));
  }

 private:
  int64_t count_ = 0;
  std::string example_;
};

// What is wrong with an image's class map; empty if it is valid or the data set has no maps.
std::string fault_of_map(const loader::Dataset& dataset, int64_t index,
                         const image::Image& image) try {
  if (!dataset.has_maps()) return "";
  const loader::ClassMap map = dataset.class_map(index);
  if (map.rows != image.rows || map.cols != image.cols) {
    return fmt::format("{}: its map has {} x {} pixels, the image {} x {}", dataset.name(index),
                       map.rows, map.cols, image.rows, image.cols);
  }
  // Whether 0 is a class depends on the recipe; 255 is never a class.
  const auto named = static_cast<int64_t>(dataset.map_classes().names.size());
  int64_t largest = 0;
  for (const uint8_t value : map.classes) {
    if (value != loader::kIgnored) largest = std::max<int64_t>(largest, value);
  }
  if (named > 0 && largest > named) {
    return fmt::format("{}: its map has the class {}, and there are {} classes",
                       dataset.name(index), largest, named);
  }
  return "";
} catch (const Error& error) {
  if (error.code() != ExitCode::kData) throw;
  return error.what();
}

// Warns if the splits have different classes. Commands that measure accuracy refuse such data, but
// pretraining does not use classes.
void say_different_classes(json& result, const std::string& data,
                           const std::vector<OpenedSplit>& splits, Reporter& reporter) try {
  refuse_different_classes(data, *splits[0].dataset, *splits[1].dataset);
} catch (const Error& error) {
  result["classes_differ"] = error.what();
  reporter.warn(error.what());
}

struct Verified {
  uint64_t content;
  int64_t label;  // -1: none
  int orientation;
  std::string fault_of_map;
};

}  // namespace

json verify_data(const std::string& data, MachineOptions machine, Reporter& reporter) {
  const int64_t threads = set_up_machine(machine);
  json result = {{"data", data}, {"images", 0}, {"bad", 0}};
  const std::vector<OpenedSplit> splits = open_splits(data, machine, reporter);
  SharedContents shared;
  for (const OpenedSplit& split : splits) {
    BadLabels labels(split.dataset->remarks());
    const auto look = [&](int64_t i, const loader::Sample& sample) {
      return Verified{content_hash(sample.image),
                      std::get<loader::Label>(sample.target).class_number,
                      split.dataset->orientation(i), fault_of_map(*split.dataset, i, sample.image)};
    };
    RepeatedContents repeated;
    OrientedImages oriented;
    json bad = for_each_image(split, threads, reporter, look, [&](int64_t i, Verified found) {
      shared.see(found.content, split.dataset->name(i), &split == &splits.front());
      repeated.see(found.content, i, found.label);
      oriented.see(found.orientation, split.dataset->name(i));
      if (found.fault_of_map.empty()) return;
      reporter.warn(found.fault_of_map);
      labels.add(found.fault_of_map);
    });
    add_split(result, split, bad, labels);
    repeated.put_into(result, data, split, reporter);
    oriented.put_into(result, data, split, reporter);
  }
  if (splits.size() == 2) {
    shared.put_into(result, data, reporter);
    say_different_classes(result, data, splits, reporter);
  }
  return result;
}

namespace {

// Throws Error(kUsage) if `out` has the ending of another kind of file. The loader recognises a
// packed file by its first bytes, but users go by the ending.
void refuse_ending_of_another_kind(const fs::path& out) {
  const std::string ending = out.extension();
  for (const char* other : {".txt", ".tar", ".gz", ".zip", ".bin", ".jpg", ".jpeg", ".png", ".webp",
                            ".npy", ".safetensors", ".pth"}) {
    if (ending != other) continue;
    fail(ExitCode::kUsage, "{} ends in {}, but a packed file is written; choose a name like {}",
         out.string(), ending, fs::path(out).replace_extension(".pack").string());
  }
}

// Warns if the data has class maps or objects: a packed file can only hold images with labels.
void warn_of_what_is_not_packed(const std::string& data, const loader::Dataset& dataset,
                                Reporter& reporter) {
  if (!dataset.has_maps() && !dataset.has_instances()) return;
  reporter.warn(fmt::format(
      "{} has {}, which a packed file cannot hold: the packed file is for pretraining; {} "
      "needs the folder itself",
      data, dataset.has_maps() ? "class maps" : "objects",
      dataset.has_maps() ? "segmentation" : "detection"));
}

}  // namespace

json pack_data(const PackRequest& request, Reporter& reporter) {
  refuse_ending_of_another_kind(request.out);
  const int64_t threads = set_up_machine(request.machine);
  refuse_to_replace(request.out, FileKind::kPacked, request.overwrite, {request.data});
  const std::vector<OpenedSplit> splits = open_splits(request.data, request.machine, reporter);
  warn_of_what_is_not_packed(request.data, *splits[0].dataset, reporter);
  loader::PackedWriter writer(request.out, request.form.kind);
  json result = {{"data", request.data}, {"images", 0}, {"bad", 0}};
  for (const OpenedSplit& split : splits) {
    add_split(result, split, pack_split(split, request, threads, writer, reporter),
              BadLabels(split.dataset->remarks()));
  }
  result["bytes"] = writer.finish();
  result["out"] = request.out.string();
  return result;
}

}  // namespace fcm::tasks
