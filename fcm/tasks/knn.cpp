// The command knn: kNN accuracy of frozen features. The bank is streamed.
#include "fcm/eval/knn.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <utility>
#include <vector>

#include "fcm/base/counted.h"
#include "fcm/base/error.h"
#include "fcm/eval/features.h"
#include "fcm/tasks/counted_selection.h"
#include "fcm/tasks/data.h"
#include "fcm/tasks/frozen_provenance.h"
#include "fcm/tasks/machine.h"
#include "fcm/tasks/ranks.h"
#include "fcm/tasks/tasks.h"
#include "fcm/tasks/trained_model.h"

namespace fcm::tasks {
namespace {

// Limit for the size of the queries' flattened tokens. Above it only mean tokens are compared: the
// flattened tokens of ImageNet's 50,000 validation images would take 30 GB.
constexpr int64_t kMostFlattenedBytes = int64_t{1} << 30;

// Collects batches of the bank until they are large enough for an efficient matrix product.
class BankBlocks {
 public:
  BankBlocks(eval::NeighbourSearch& search, int64_t classes) : search_(search), classes_(classes) {}

  void add(const at::Tensor& features_BD, const at::Tensor& labels_B) {
    constexpr size_t kBlockBytes = 32 << 20;
    constexpr int64_t kBlockRows = 8192;
    features_.push_back(features_BD);
    labels_.push_back(labels_B);
    rows_ += features_BD.size(0);
    bytes_ += features_BD.nbytes();
    if (bytes_ >= kBlockBytes || rows_ >= kBlockRows) flush();
  }

  void flush() {
    if (features_.empty()) return;
    const at::Tensor features_ND = at::cat(features_), labels_N = at::cat(labels_);
    eval::check_features(features_ND, labels_N, classes_, "training");
    search_.add(features_ND, labels_N);
    features_.clear();
    labels_.clear();
    rows_ = 0;
    bytes_ = 0;
  }

 private:
  eval::NeighbourSearch& search_;
  int64_t classes_;
  std::vector<at::Tensor> features_, labels_;
  int64_t rows_ = 0;
  size_t bytes_ = 0;
};

nlohmann::json describe(const eval::KnnResult& result) {
  return {{"top1", result.top1}, {"top5", result.top5}, {"images", result.images}};
}

// The search for the nearest bank images of all queries, by one kind of features.
struct KnnSearch {
  std::string kind;  // "flattened", "mean"
  eval::NeighbourSearch neighbours;
};

std::vector<KnnSearch> searches_of(const eval::FeatureSet& queries, int64_t classes, int64_t k) {
  std::vector<KnnSearch> searches;
  const auto add = [&](const char* kind, const at::Tensor& features_MD) {
    eval::check_features(features_MD, queries.labels_N, classes, "query");
    searches.push_back({kind, eval::NeighbourSearch(features_MD, k)});
  };
  add("mean", queries.mean_ND);
  if (queries.flattened_ND.defined()) add("flattened", queries.flattened_ND);
  return searches;
}

void search_bank(const TrainedModel& trained, const eval::Selection& bank, int64_t threads,
                 int64_t classes, std::vector<KnnSearch>& searches) {
  std::vector<BankBlocks> blocks;
  for (KnnSearch& search : searches) blocks.emplace_back(search.neighbours, classes);
  eval::stream_features(*trained.model, trained.recipe, bank, threads,
                        [&](const encoder::Features& features, const loader::Batch& batch) {
                          const at::Tensor labels_B =
                              at::tensor(at::ArrayRef<int64_t>(batch.targets.labels()), at::kLong);
                          for (size_t i = 0; i < searches.size(); ++i) {
                            const bool mean = searches[i].kind == "mean";
                            blocks[i].add(
                                mean ? features.latent_BKC.mean(1) : features.latent_BKC.flatten(1),
                                labels_B);
                          }
                        });
  for (BankBlocks& rest : blocks) rest.flush();
}

}  // namespace

nlohmann::json knn(const std::string& data, const CheckpointRequest& checkpoint, int64_t k,
                   MachineOptions machine, Reporter& reporter) {
  const int64_t threads = set_up_machine(machine);
  const TrainedModel trained =
      load_trained_model(checkpoint, ModelUse::kFeatures, reporter, device_of(machine));
  dist::Group& group = *machine.group;
  const LabelledData both = open_labelled_splits(data, machine, reporter);
  const auto bank = counted_selection("training images", both.train, machine.group, reporter),
             query_images =
                 counted_selection("validation images", both.val, machine.group, reporter);
  refuse_different_ranks(group, trained.recipe, data, *bank.dataset);
  const nlohmann::json provenance =
      frozen_provenance(trained, *bank.dataset, *query_images.dataset, data, reporter);
  const auto classes = static_cast<int64_t>(bank.dataset->classes().size());
  reporter.info(fmt::format("{}: features of {} and {} by {} (step {})", data, bank.dataset->size(),
                            counted(query_images.dataset->size(), "image", "images"),
                            trained.path.string(), trained.step));
  const int64_t flattened_bytes = query_images.dataset->size() * trained.model->grid().patches() *
                                  trained.recipe.encoder.dims.back() *
                                  static_cast<int64_t>(sizeof(float));
  const bool flattened = flattened_bytes <= kMostFlattenedBytes;
  if (!flattened) {
    reporter.info(fmt::format(
        "flattened tokens of the validation images would take {:.1f} GB; only mean tokens are compared",
        static_cast<double>(flattened_bytes) * 1e-9));
  }
  const eval::FeatureSet queries =
      flattened
          ? eval::extract_features(*trained.model, trained.recipe, query_images, threads)
          : eval::extract_mean_features(*trained.model, trained.recipe, query_images, threads);
  std::vector<KnnSearch> searches = searches_of(queries, classes, k);
  search_bank(trained, bank, threads, classes, searches);

  nlohmann::json json, kinds = nlohmann::json::object();
  for (KnnSearch& search : searches) {
    const auto nearest =
        eval::nearest_of_ranks(group, search.neighbours.nearest(), search.neighbours.rows(), k);
    const nlohmann::json result =
        describe(eval::vote(nearest, queries.labels_N, classes, eval::KnnOptions{}.temperature));
    kinds[search.kind] = result;
    if (json.is_null() || result.at("top1") >= json.at("top1")) json = result;
  }
  json["features"] = kinds;
  json.update(provenance);
  return json;
}

}  // namespace fcm::tasks
