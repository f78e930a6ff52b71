#include "fcm/tasks/classifier.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "fcm/base/error.h"
#include "fcm/heads/accuracy.h"
#include "fcm/loader/loader.h"
#include "fcm/loss/classification.h"
#include "fcm/nn/positions.h"
#include "fcm/train/classifier_step.h"
#include "fcm/train/setup.h"
#include "fcm/train/state.h"

namespace fcm::tasks {
namespace {

using checkpoint::Checkpoint;
using checkpoint::TensorView;

// Patches of the pictures that the checkpoint was trained on.
masks::Grid grid_of(const Checkpoint& checkpoint, int64_t patches) {
  if (const auto text = checkpoint.state.find("recipe"); text != checkpoint.state.end()) {
    const auto toml = text->get<std::string>();
    const std::string source = checkpoint.path.string();
    const train::Recipe recipe =
        train::is_finetune_recipe(toml)
            ? train::encoder_recipe(train::read_finetune_recipe(toml, source))
            : train::read_recipe(toml, source);
    const int64_t side = ops::PatchGeometry{recipe.encoder.strides}.patch_side();
    return {recipe.data.image_size[0] / side, recipe.data.image_size[1] / side};
  }
  const auto side = std::llround(std::sqrt(static_cast<double>(patches)));
  return {side, side};
}

// The position table of the file, resized to the classifier's grid: kept alive by what is returned.
at::Tensor fit_positions(const models::Classifier& model, Checkpoint& checkpoint,
                         Reporter& reporter) {
  auto& tensors = checkpoint.model.tensors;
  const auto found = std::find_if(tensors.begin(), tensors.end(),
                                  [](const TensorView& view) { return view.name == "pos_embed"; });
  if (found == tensors.end() || found->shape.size() != 3) return {};
  const int64_t tokens = encoder::class_tokens(model.options().kind);
  const int64_t patches = found->shape[1] - tokens;
  const masks::Grid from = grid_of(checkpoint, patches), to = model.grid();
  const bool same = from.rows == to.rows && from.cols == to.cols;
  if (same || from.rows * from.cols != patches) return {};  // load_model says what does not fit
  const at::Tensor table = nn::resize_positions(train::to_tensor(*found).to(at::kFloat), from.rows,
                                                from.cols, to.rows, to.cols)
                               .contiguous();
  found->dtype = "F32";
  found->shape = table.sizes().vec();
  found->bytes = {static_cast<const std::byte*>(table.const_data_ptr()), table.nbytes()};
  reporter.info(fmt::format("positions of {} x {} patches resized to {} x {}", from.rows, from.cols,
                            to.rows, to.cols));
  return table;
}

void drop_other_head(const models::Classifier& model, Checkpoint& checkpoint, Reporter& reporter) {
  const TensorView* head = checkpoint.model.find("head.weight");
  if (head == nullptr || head->shape.empty() || head->shape[0] == model.options().classes) return;
  reporter.warn(
      fmt::format("{} has a head for {} classes, these pictures have {}: a new one is "
                  "trained",
                  checkpoint.path.string(), head->shape[0], model.options().classes));
  std::erase_if(checkpoint.model.tensors,
                [](const TensorView& view) { return view.name.starts_with("head."); });
}

}  // namespace

void load_encoder(models::Classifier& model, Checkpoint checkpoint,
                  const std::vector<std::string>& allow_missing, Reporter& reporter) {
  train::LoadRules rules{
      allow_missing,
      {"mask_token", "decoder_*", "stage1_output_decode.*", "stage2_output_decode.*",
       model.options().mean_pool ? "norm.*" : "fc_norm.*"}};
  rules.missing.insert(rules.missing.end(), {"head.*", "fc_norm.*"});
  drop_other_head(model, checkpoint, reporter);
  const at::Tensor positions = fit_positions(model, checkpoint, reporter);
  train::load_model(model.parameters(), checkpoint.model, checkpoint.path.string(), rules);
}

TrainedClassifier load_classifier(const std::string& path, const std::vector<std::string>& set,
                                  Reporter& reporter) {
  Checkpoint checkpoint = checkpoint::load(path, false, reporter);
  const std::string source = checkpoint.path.string();
  const TensorView* head = checkpoint.model.find("head.weight");
  const auto text = checkpoint.state.find("recipe");
  if (head == nullptr || head->shape.size() != 2 || text == checkpoint.state.end() ||
      !train::is_finetune_recipe(text->get<std::string>())) {
    fail(ExitCode::kCheckpoint,
         "{} holds no classifier with its recipe; train one with fastconvmae finetune, or measure "
         "frozen features with fastconvmae knn or linprobe",
         source);
  }
  TrainedClassifier trained;
  trained.recipe = train::read_finetune_recipe(text->get<std::string>(), source, set);
  train::check(trained.recipe);
  trained.classes = head->shape[0];
  trained.model = std::make_unique<models::Classifier>(
      train::classifier_options(trained.recipe, trained.classes), 0);
  const at::Tensor positions = fit_positions(*trained.model, checkpoint, reporter);
  train::load_model(trained.model->parameters(), checkpoint.model, source);
  return trained;
}

Evaluation evaluate(const models::Classifier& model, const train::FinetuneRecipe& recipe,
                    const std::shared_ptr<const loader::Dataset>& dataset, int64_t batch_size,
                    int64_t threads) {
  const at::ScalarType compute = train::compute_type(recipe.model.precision);
  const int64_t classes = model.options().classes;
  loader::EvalLoader batches(dataset, recipe.data, batch_size, 0, dataset->size(), threads,
                             recipe.classifier.eval_crop);
  heads::AccuracyCount count(-std::numeric_limits<double>::infinity());
  Evaluation evaluation;
  evaluation.confusion.resize(static_cast<size_t>(classes * classes));
  for (loader::Batch batch; batches.next(batch);) {
    const at::Tensor labels_B = at::tensor(at::ArrayRef<int64_t>(batch.labels), at::kLong);
    const at::Tensor logits_BC = train::logits_of(model, batch, recipe.data, compute);
    count.add(logits_BC, labels_B);
    evaluation.loss +=
        loss::cross_entropy(logits_BC, labels_B).item<double>() * static_cast<double>(batch.batch);
    const at::Tensor answers_B = logits_BC.argmax(1);
    for (int64_t i = 0; i < batch.batch; ++i) {
      const int64_t truth = batch.labels[static_cast<size_t>(i)];
      const int64_t answer = answers_B.const_data_ptr<int64_t>()[i];
      ++evaluation.confusion[static_cast<size_t>(truth * classes + answer)];
    }
  }
  const heads::Accuracy accuracy = count.percent();
  if (accuracy.images == 0) fail(ExitCode::kData, "there is no readable picture to measure on");
  evaluation.top1 = accuracy.top1;
  evaluation.top5 = accuracy.top5;
  evaluation.images = accuracy.images;
  evaluation.loss /= static_cast<double>(accuracy.images);
  return evaluation;
}

}  // namespace fcm::tasks
