#include "fcm/tasks/ranks.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "fcm/base/error.h"
#include "fcm/loader/slice.h"

namespace fcm::tasks {
namespace {

// File names of at most 256 images, spread over the set, without their folders, which may differ
// between machines.
nlohmann::json some_names(const loader::Dataset& dataset) {
  constexpr int64_t kNames = 256;
  nlohmann::json names = nlohmann::json::array();
  const int64_t count = std::min(kNames, dataset.size());
  for (int64_t i = 0; i < count; ++i) {
    const std::filesystem::path name = dataset.name(i * dataset.size() / count);
    names.push_back(name.filename().string());
  }
  return names;
}

struct Lines {
  std::string theirs, ours;
};

// The first line that differs between two recipes, with its section; nullopt: the recipes are
// equal.
std::optional<Lines> first_differing_lines(const std::string& theirs, const std::string& ours) {
  std::istringstream their_lines(theirs), our_lines(ours);
  std::string their_line, our_line, section;
  while (std::getline(their_lines, their_line) && std::getline(our_lines, our_line)) {
    if (their_line.starts_with('[')) section = their_line.substr(0, their_line.find(']') + 1) + " ";
    if (their_line != our_line) return Lines{section + their_line, section + our_line};
  }
  if (theirs == ours) return std::nullopt;
  return Lines{"another number of keys", "the keys of its own recipe"};
}

}  // namespace

void refuse_different_ranks(dist::Group& group, const recipe::Recipe& recipe,
                            const std::string& data, const loader::Dataset& dataset) {
  if (group.size() == 1) return;
  const nlohmann::json mine = {{"recipe", recipe::print_recipe(recipe)},
                               {"pictures", dataset.size()},
                               {"names", some_names(dataset)}};
  constexpr auto kReplace = nlohmann::json::error_handler_t::replace;
  const std::vector<std::string> all =
      dist::gather_texts(group, mine.dump(-1, ' ', false, kReplace));
  const nlohmann::json first = nlohmann::json::parse(all.front());
  for (size_t rank = 1; rank < all.size(); ++rank) {
    const nlohmann::json other = nlohmann::json::parse(all[rank]);
    if (const auto lines = first_differing_lines(other.at("recipe"), first.at("recipe"))) {
      throw dist::SharedError(
          ExitCode::kUsage,
          fmt::format("the ranks have different recipes: rank {} has \"{}\", rank 0 \"{}\"; start "
                      "all with the same recipe and --set",
                      rank, lines->theirs, lines->ours));
    }
    if (other.at("pictures") != first.at("pictures")) {
      throw dist::SharedError(ExitCode::kData,
                              fmt::format("the ranks see different data in {}: rank {} has {} "
                                          "images, rank 0 {}; all need the same set",
                                          data, rank, other.at("pictures").get<int64_t>(),
                                          first.at("pictures").get<int64_t>()));
    }
    for (size_t i = 0; i < first.at("names").size(); ++i) {
      if (other.at("names")[i] == first.at("names")[i]) continue;
      const int64_t place =
          static_cast<int64_t>(i) * dataset.size() / static_cast<int64_t>(first.at("names").size());
      throw dist::SharedError(
          ExitCode::kData,
          fmt::format("the ranks see different data in {}: image {} is {} for rank {} and {} for "
                      "rank 0; all need the same set in the same order",
                      data, place, other.at("names")[i].get<std::string>(), rank,
                      first.at("names")[i].get<std::string>()));
    }
  }
}

void refuse_uneven_shares(const dist::Group& group, const recipe::Recipe& recipe) {
  const int64_t batch = recipe.optim.batch_size, ranks = group.size();
  if (ranks == 1) return;
  if (batch < ranks) {
    throw dist::SharedError(
        ExitCode::kUsage,
        fmt::format("optim.batch_size is {}, which leaves some of {} processes without an image; "
                    "raise it, or start at most {} processes",
                    batch, ranks, batch));
  }
  if (!recipe.is<recipe::Classify>()) return;
  const loader::AugmentOptions& augment = recipe.classify().augment;
  const bool in_pairs = augment.mixup > 0 || augment.cutmix > 0;
  for (int64_t rank = 0; in_pairs && rank < ranks; ++rank) {
    const int64_t share = loader::Slice{rank, ranks}.of(batch).size();
    if (share % 2 == 0) continue;
    throw dist::SharedError(
        ExitCode::kUsage,
        fmt::format("optim.batch_size = {} gives rank {} of {} processes {} images, and "
                    "augment.mixup and augment.cutmix mix them in pairs; take a multiple of {}",
                    batch, rank, ranks, share, 2 * ranks));
  }
}

}  // namespace fcm::tasks
