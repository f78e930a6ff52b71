#include "fcm/tasks/content_sample.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <numeric>
#include <optional>
#include <string_view>
#include <tuple>
#include <unordered_set>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/base/text.h"
#include "fcm/loader/in_order.h"
#include "fcm/loader/sources/checksum.h"

namespace fcm::tasks {
namespace {

using nlohmann::json;
using Mark = ContentSample::Mark;

constexpr size_t kMostImages = 4096, kMostKept = 1024;
constexpr int64_t kMostPixels = int64_t{64} << 20;
constexpr size_t kLettersOfName = 8, kLettersOfMark = 24;

// The file name without the folder, shard or packed file that contains it, and without its ending.
std::string_view stem_of(std::string_view name) {
  const size_t place = name.find_last_of("/:");
  if (place != std::string_view::npos) name.remove_prefix(place + 1);
  return name.substr(0, name.rfind('.'));
}

uint32_t hash_of_name(const std::string& name) {
  return static_cast<uint32_t>(loader::checksum(stem_of(name)) >> 32);
}

// Pairs (hash of the name, index) of the images whose names have the smallest hashes, sorted.
std::vector<std::pair<uint32_t, int64_t>> choose(const loader::Dataset& dataset) {
  std::vector<std::pair<uint32_t, int64_t>> chosen(static_cast<size_t>(dataset.size()));
  for (int64_t i = 0; i < dataset.size(); ++i) {
    chosen[static_cast<size_t>(i)] = {hash_of_name(dataset.name(i)), i};
  }
  const auto end = chosen.begin() + static_cast<ptrdiff_t>(std::min(kMostImages, chosen.size()));
  std::partial_sort(chosen.begin(), end, chosen.end());
  chosen.erase(end, chosen.end());
  return chosen;
}

struct Content {
  uint64_t hash = 0;
  int64_t pixels = 0;
};

std::optional<Content> content_of(const loader::Dataset& dataset, int64_t index) {
  try {
    const image::Image image = dataset.get(index, 3);
    return Content{content_hash(image), image.rows * image.cols};
  } catch (const Error&) {  // unreadable images are not compared
    return std::nullopt;
  }
}

// Sorts the marks together with their names.
void sort_marks(ContentSample& sample) {
  std::vector<size_t> order(sample.marks.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::tie(sample.marks[a], sample.names[a]) < std::tie(sample.marks[b], sample.names[b]);
  });
  ContentSample sorted{sample.sampled, {}, {}};
  for (const size_t i : order) {
    sorted.marks.push_back(sample.marks[i]);
    sorted.names.push_back(std::move(sample.names[i]));
  }
  sample = std::move(sorted);
}

template <class Number>
Number number_of(std::string_view letters) {
  Number value = 0;
  const auto [end, error] =
      std::from_chars(letters.data(), letters.data() + letters.size(), value, 16);
  const bool whole = error == std::errc() && end == letters.data() + letters.size();
  return whole ? value : 0;
}

}  // namespace

uint64_t content_hash(const image::Image& image) {
  std::string bytes = fmt::format("{} x {}:", image.rows, image.cols);
  bytes.append(reinterpret_cast<const char*>(image.pixels.data()), image.pixels.size());
  return loader::checksum(bytes);
}

ContentSample content_sample_of(const loader::Dataset& dataset, int64_t threads) {
  constexpr int64_t kAtOnce = 64;
  const auto chosen = choose(dataset);
  ContentSample sample;
  int64_t pixels = 0;
  for (int64_t begin = 0; begin < std::ssize(chosen) && pixels < kMostPixels; begin += kAtOnce) {
    const auto at = [&](int64_t i) { return chosen[static_cast<size_t>(begin + i)]; };
    loader::for_each_in_order(
        std::min(kAtOnce, std::ssize(chosen) - begin), threads,
        [&](int64_t i) { return content_of(dataset, at(i).second); },
        [&](int64_t i, std::optional<Content> content) {
          if (pixels >= kMostPixels) return;
          ++sample.sampled;
          if (!content) return;
          pixels += content->pixels;
          sample.marks.push_back({at(i).first, content->hash});
          sample.names.push_back(escape_non_utf8(dataset.name(at(i).second)));
        });
  }
  sort_marks(sample);
  return sample;
}

json to_json(const ContentSample& sample) {
  const size_t kept = std::min(sample.marks.size(), kMostKept);
  std::string letters;
  for (size_t i = 0; i < kept; ++i) {
    letters += fmt::format("{:08x}{:016x}", sample.marks[i].name, sample.marks[i].content);
  }
  const bool is_cut = kept < sample.marks.size();
  return {{"looked_at", is_cut ? static_cast<int64_t>(kept) : sample.sampled},
          {"marks", std::move(letters)}};
}

ContentSample content_sample_from(const json& state) {
  ContentSample sample;
  if (!state.is_object()) return sample;
  sample.sampled = state.value("looked_at", int64_t{0});
  const std::string letters = state.value("marks", "");
  for (size_t at = 0; at + kLettersOfMark <= letters.size(); at += kLettersOfMark) {
    const std::string_view mark = std::string_view(letters).substr(at, kLettersOfMark);
    sample.marks.push_back({number_of<uint32_t>(mark.substr(0, kLettersOfName)),
                            number_of<uint64_t>(mark.substr(kLettersOfName))});
  }
  return sample;
}

SharedImages shared_images(const ContentSample& known, int64_t known_images,
                           const ContentSample& measured) {
  SharedImages found;
  if (known.marks.empty()) return found;
  std::unordered_set<uint64_t> contents;
  for (const Mark& mark : known.marks) contents.insert(mark.content);
  const bool is_whole = known.sampled == known_images;
  const uint32_t reach = known.marks.back().name;
  for (size_t i = 0; i < measured.marks.size(); ++i) {
    const bool is_shared = contents.contains(measured.marks[i].content);
    if (is_whole || is_shared || measured.marks[i].name <= reach) ++found.compared;
    if (!is_shared) continue;
    ++found.shared;
    if (measured.names.empty()) continue;
    const std::string& name = measured.names[i];
    if (found.example.empty() || name < found.example) found.example = name;
  }
  return found;
}

ChangedImages changed_images(const ContentSample& before, const ContentSample& now) {
  ChangedImages found;
  const auto has_name = [&](uint32_t name) {
    const auto place = std::ranges::lower_bound(now.marks, name, {}, &Mark::name);
    return place != now.marks.end() && place->name == name;
  };
  for (const Mark& mark : before.marks) {
    if (!has_name(mark.name)) continue;
    ++found.compared;
    if (!std::ranges::binary_search(now.marks, mark)) ++found.changed;
  }
  return found;
}

}  // namespace fcm::tasks
