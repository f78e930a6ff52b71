#include "fcm/tasks/image_set.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <span>
#include <string_view>

#include "fcm/base/counted.h"
#include "fcm/base/error.h"
#include "fcm/base/text.h"
#include "fcm/formats/digest.h"

namespace fcm::tasks {
namespace {

using nlohmann::json;

// Adds a text and a zero byte, which no file name contains, so that lists stay unambiguous.
void add(formats::Digest& digest, std::string_view text) {
  digest.update(std::as_bytes(std::span(text)));
  digest.update(std::as_bytes(std::span("", 1)));
}

// The name of an image without the location of the set.
std::string_view name_in_set(std::string_view name, const std::string& data) {
  const std::string parent = std::filesystem::path(data).parent_path().string();
  for (const std::string& place : {data, parent}) {
    if (place.empty() || !name.starts_with(place)) continue;
    name.remove_prefix(place.size());
    const size_t begin = name.find_first_not_of("/:");
    return begin == name.npos ? name : name.substr(begin);
  }
  return name;
}

// The label of an image; -1 if it is unusable.
int64_t label_of(const loader::Dataset& dataset, int64_t index) try {
  return dataset.label(index);
} catch (const Error&) {
  return -1;
}

std::string hash_of_list(const loader::Dataset& dataset, const std::string& data) {
  formats::Digest digest;
  for (int64_t i = 0; i < dataset.size(); ++i) {
    add(digest, name_in_set(dataset.name(i), data));
    add(digest, fmt::format("{}", label_of(dataset, i)));
  }
  return digest.hex();
}

std::string hash_of_sample(const loader::Dataset& dataset) {
  constexpr int64_t kSamples = 8;
  const int64_t count = std::min(kSamples, dataset.size());
  formats::Digest digest;
  for (int64_t i = 0; i < count; ++i) {
    try {
      const image::Image image = dataset.get(i * dataset.size() / count, 3);
      add(digest, fmt::format("{} x {}", image.rows, image.cols));
      digest.update(std::as_bytes(std::span(image.pixels)));
    } catch (const Error&) {
      add(digest, "cannot be read");
    }
  }
  return digest.hex();
}

bool are_numbers(const std::vector<std::string>& classes) {
  for (size_t i = 0; i < classes.size(); ++i) {
    if (classes[i] != std::to_string(i)) return false;
  }
  return !classes.empty();
}

json facts_of(const ImageSet& set) {
  json facts = {{"data", escape_non_utf8(set.data)},
                {"split", set.split},
                {"images", set.images},
                {"list_hash", set.list_hash},
                {"sample_hash", set.sample_hash}};
  if (!set.classes.empty()) facts["classes_hash"] = set.classes_hash;
  return facts;
}

}  // namespace

std::vector<std::string> printable(const std::vector<std::string>& classes) {
  std::vector<std::string> names;
  for (const std::string& name : classes) names.push_back(escape_non_utf8(name));
  return names;
}

ImageSet describe_images(const loader::Dataset& dataset, const std::string& data,
                         loader::Split split, int64_t threads) {
  ImageSet set;
  set.data = data;
  set.split = split == loader::Split::kTrain ? "train" : "val";
  set.images = dataset.size();
  set.list_hash = hash_of_list(dataset, data);
  set.sample_hash = hash_of_sample(dataset);
  set.sample = content_sample_of(dataset, threads);
  set.only_numbered = dataset.remarks().only_numbered;
  set.classes = printable(dataset.has_instances() ? dataset.instance_classes().names
                          : dataset.has_maps()    ? dataset.map_classes().names
                                                  : dataset.classes());
  if (dataset.has_maps()) set.colours = dataset.map_classes().colours;
  if (dataset.has_instances()) set.objects = dataset.instance_classes().objects;
  formats::Digest digest;
  for (const std::string& name : set.classes) add(digest, name);
  if (!set.classes.empty()) set.classes_hash = digest.hex();
  return set;
}

json to_json(const ImageSet& set) {
  json facts = facts_of(set);
  facts[kContentSample] = to_json(set.sample);
  if (!set.classes.empty()) facts["classes"] = set.classes;
  if (!set.classes.empty()) facts["only_numbered"] = set.only_numbered;
  if (!set.colours.empty()) facts["colours"] = set.colours;
  if (!set.objects.empty()) facts["objects"] = set.objects;
  return facts;
}

json summary_of(const ImageSet& set) {
  json facts = facts_of(set);
  facts.erase("sample_hash");
  if (!set.classes.empty()) facts["classes"] = set.classes.size();
  return facts;
}

std::optional<ImageSet> stored_set(const json& state, const char* name) try {
  if (!state.is_object() || !state.contains(name)) return std::nullopt;
  const json& facts = state.at(name);
  ImageSet set;
  set.data = facts.value("data", "");
  set.split = facts.value("split", "");
  set.images = facts.value("images", int64_t{0});
  set.list_hash = facts.value("list_hash", "");
  set.sample_hash = facts.value("sample_hash", "");
  set.classes_hash = facts.value("classes_hash", "");
  set.classes = facts.value("classes", std::vector<std::string>());
  // Earlier versions did not store this member. Classes whose names are numbers are then assumed to
  // have no other names.
  set.only_numbered = facts.value("only_numbered", are_numbers(set.classes));
  set.colours = facts.value("colours", decltype(set.colours)());
  set.objects = facts.value("objects", std::vector<int64_t>());
  set.sample = content_sample_from(facts.value(kContentSample, json::object()));
  return set;
} catch (const json::exception&) {
  return std::nullopt;
}

bool same_images(const ImageSet& a, const ImageSet& b) {
  return a.images > 0 && a.images == b.images && !a.sample_hash.empty() &&
         a.sample_hash == b.sample_hash;
}

std::optional<std::string> other_pixels(const ImageSet& before, const ImageSet& now) {
  const ChangedImages found = changed_images(before.sample, now.sample);
  if (found.changed > 0) {
    return fmt::format("{} of {} that were compared have different pixels", found.changed,
                       found.compared);
  }
  const bool known = !before.sample_hash.empty() && !now.sample_hash.empty();
  if (!known || before.sample_hash == now.sample_hash) return std::nullopt;
  return "some of those that were compared have different pixels, or cannot be read";
}

std::string as_text(const SharedImages& shared) {
  constexpr double kPercent = 100;
  return fmt::format(
      "{} of {} that {} compared ({:.1f} %{}{})", shared.shared,
      counted(shared.compared, "image", "images"), noun(shared.compared, "was", "were"),
      kPercent * static_cast<double>(shared.shared) / static_cast<double>(shared.compared),
      shared.example.empty() ? "" : ", for example ", shared.example);
}

std::string class_list(const std::vector<std::string>& classes) {
  constexpr ptrdiff_t kShown = 5;
  const auto end = classes.begin() + std::min(kShown, std::ssize(classes));
  std::string text = fmt::format("{}", fmt::join(classes.begin(), end, ", "));
  if (std::ssize(classes) > kShown) text += fmt::format(", ... ({} in all)", classes.size());
  return text;
}

std::string first_difference(const std::vector<std::string>& before,
                             const std::vector<std::string>& now) {
  for (size_t i = 0; i < std::min(before.size(), now.size()); ++i) {
    if (before[i] != now[i]) {
      return fmt::format("class {} was \"{}\" and is \"{}\"", i, before[i], now[i]);
    }
  }
  if (before.size() == now.size()) return {};
  return fmt::format("there {} {} and are {}", noun(std::ssize(before), "was", "were"),
                     counted(std::ssize(before), "class", "classes"), now.size());
}

std::optional<std::string> note_on_overlap(const ImageSet& learned, const ImageSet& measured) {
  if (!same_images(learned, measured)) {
    const SharedImages some = shared_images(learned.sample, learned.images, measured.sample);
    if (some.shared == 0) return std::nullopt;
    return fmt::format(
        "{}: {} are among those that the network was trained on ({}), so the figures partly "
        "measure memorisation, not the accuracy on other images",
        measured.data, as_text(some), learned.data);
  }
  return fmt::format(
      "the {} measured images ({}) are the same that the network was trained on ({}): the figures "
      "measure memorisation, not the accuracy on other images",
      measured.images, measured.data, learned.data);
}

}  // namespace fcm::tasks
