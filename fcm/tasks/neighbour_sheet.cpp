#include "fcm/tasks/neighbour_sheet.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/dist/group.h"
#include "fcm/eval/features.h"
#include "fcm/eval/knn.h"
#include "fcm/eval/round_robin_batches.h"
#include "fcm/image/colour.h"
#include "fcm/models/inputs.h"
#include "fcm/tasks/reconstruct.h"
#include "fcm/viz/sheet.h"

namespace fcm::tasks {
namespace {

constexpr int64_t kAskedOfSet = 8;

// The name of a label's class; empty: no label.
std::string class_of(const loader::Dataset& dataset, int64_t label) {
  if (label < 0 || label >= std::ssize(dataset.classes())) return {};
  return dataset.classes()[static_cast<size_t>(label)];
}

nlohmann::json class_or_null(const std::string& name) {
  return name.empty() ? nlohmann::json() : nlohmann::json(name);
}

// Images in memory, as a data set for the loader.
class ImagesAtHand final : public loader::Dataset {
 public:
  explicit ImagesAtHand(const std::vector<NamedImage>& images) : images_(images) {}

  int64_t size() const override { return std::ssize(images_); }
  image::Image get(int64_t index, int64_t channels) const override {
    return image::with_channels(images_[static_cast<size_t>(index)].image, channels);
  }
  int64_t label(int64_t) const override { return -1; }
  std::string name(int64_t index) const override {
    return images_[static_cast<size_t>(index)].name;
  }
  const std::vector<std::string>& classes() const override { return none_; }

 private:
  const std::vector<NamedImage>& images_;
  std::vector<std::string> none_;
};

struct Bank {
  std::vector<std::vector<eval::Neighbour>> nearest;  // by query
  std::vector<int64_t> images;                        // by row of the bank: index in the set
};

Bank search(const TrainedModel& trained, const NeighbourRequest& request, Reporter& reporter) {
  const auto queries = std::make_shared<ImagesAtHand>(request.queries);
  const eval::FeatureSet asked = eval::extract_mean_features(
      *trained.model, trained.recipe, {queries, eval::kEverything, dist::group_of_one()},
      request.threads);
  // One more than k, because the query itself may be in the bank.
  eval::NeighbourSearch search(asked.mean_ND, request.k + 1);
  Bank bank;
  const loader::Dataset& set = *request.bank;
  eval::RoundRobinBatches batches(request.bank, trained.recipe, request.threads,
                                  *dist::group_of_one());
  for (loader::Batch batch; batches.next(batch);) {
    for (const loader::BadSample& bad : batch.bad) {
      reporter.warn(fmt::format("left out: {}", bad.reason));
    }
    if (batch.batch == 0) continue;
    const encoder::Features features =
        eval::features_of(*trained.model, trained.recipe, set, batch);
    search.add(features.latent_BKC.mean(1),
               at::tensor(at::ArrayRef<int64_t>(batch.targets.labels()), at::kLong));
    bank.images.insert(bank.images.end(), batch.sample_ids.begin(), batch.sample_ids.end());
    reporter.progress(fmt::format("{} of {} images", bank.images.size(), set.size()));
  }
  if (bank.images.empty()) {
    fail(ExitCode::kData, "none of the {} images can be read, the first is {}", set.size(),
         set.name(0));
  }
  bank.nearest = search.nearest();
  return bank;
}

// The neighbours without the query itself, at most k.
std::vector<eval::Neighbour> others(const Bank& bank, const NeighbourRequest& request,
                                    size_t query) {
  std::vector<eval::Neighbour> kept = bank.nearest[query];
  std::erase_if(kept, [&](const eval::Neighbour& one) {
    const int64_t image = bank.images[static_cast<size_t>(one.row)];
    return request.bank->name(image) == request.queries[query].name;
  });
  if (std::ssize(kept) > request.k) kept.resize(static_cast<size_t>(request.k));
  return kept;
}

std::string caption_of(int64_t place) {
  if (place == 1) return "nearest";
  return fmt::format("{}{} nearest", place, place == 2 ? "nd" : place == 3 ? "rd" : "th");
}

// The file name without folders, since a caption has little room.
std::string short_name(const std::string& name) {
  const size_t slash = name.find_last_of('/');
  return slash == std::string::npos ? name : name.substr(slash + 1);
}

}  // namespace

Neighbours find_neighbours(const TrainedModel& trained, const NeighbourRequest& request,
                           Reporter& reporter) {
  const Bank bank = search(trained, request, reporter);
  const loader::Dataset& set = *request.bank;
  viz::Sheet sheet;
  sheet.title = fmt::format("{}, step {}", trained.recipe.row.name, trained.step);
  sheet.columns = {{"image"}};
  nlohmann::json queries = nlohmann::json::array();
  for (size_t i = 0; i < request.queries.size(); ++i) {
    const NamedImage& query = request.queries[i];
    const std::string& of_query = request.query_classes[i];
    viz::SheetRow row{{fit_to_recipe(query.image, trained.recipe)},
                      {{of_query.empty() ? short_name(query.name) : of_query}}};
    nlohmann::json found = nlohmann::json::array();
    for (const eval::Neighbour& one : others(bank, request, i)) {
      const int64_t image = bank.images[static_cast<size_t>(one.row)];
      const std::string name = class_of(set, one.label);
      row.tiles.push_back(
          fit_to_recipe(set.get(image, trained.recipe.data.channels), trained.recipe));
      row.labels.push_back({name.empty() ? short_name(set.name(image)) : name,
                            fmt::format("{:.4f}", one.similarity)});
      found.push_back({{"picture", set.name(image)},
                       {"class", class_or_null(name)},
                       {"similarity", one.similarity}});
    }
    while (sheet.columns.size() < row.tiles.size()) {
      sheet.columns.push_back({caption_of(std::ssize(sheet.columns)), sheet.columns.size() == 1});
    }
    sheet.rows.push_back(std::move(row));
    queries.push_back({{"picture", query.name},
                       {"class", class_or_null(of_query)},
                       {"neighbours", std::move(found)}});
  }
  sheet.note = fmt::format(
      "From a set of {} images, those whose mean latent is most similar to that of the image on "
      "the left. Numbers are cosine similarities: 1 is the same direction.",
      bank.images.size());
  return {make_sheet(sheet), {{"images", bank.images.size()}, {"queries", std::move(queries)}}};
}

std::vector<NamedImage> some_images(const loader::Dataset& dataset, int64_t channels,
                                    std::vector<std::string>& classes, Reporter& reporter) {
  const int64_t count = std::min(kAskedOfSet, dataset.size());
  std::vector<NamedImage> images;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t index = (2 * i + 1) * dataset.size() / (2 * count);
    try {
      images.push_back({dataset.name(index), dataset.get(index, channels)});
      classes.push_back(class_of(dataset, dataset.label(index)));
    } catch (const Error& error) {
      if (error.code() != ExitCode::kData) throw;
      reporter.warn(fmt::format("left out: {}", error.what()));
    }
  }
  if (images.empty()) {
    fail(ExitCode::kData, "none of the {} query images can be read; name others with --images",
         count);
  }
  return images;
}

}  // namespace fcm::tasks
