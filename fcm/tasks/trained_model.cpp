#include "fcm/tasks/trained_model.h"

#include <string>

#include "fcm/base/error.h"
#include "fcm/checkpoint/checkpoint.h"
#include "fcm/train/setup.h"
#include "fcm/train/state.h"

namespace fcm::tasks {

TrainedModel load_trained_model(const std::filesystem::path& path, Reporter& reporter) {
  const checkpoint::Checkpoint checkpoint = checkpoint::load(path, false, reporter);
  const auto text = checkpoint.state.find("recipe");
  if (!checkpoint.state.is_object() || text == checkpoint.state.end()) {
    fail(ExitCode::kCheckpoint,
         "{} holds weights without a recipe, so the model cannot be built; use a checkpoint folder "
         "or run folder of this program",
         checkpoint.path.string());
  }
  TrainedModel trained;
  trained.recipe = train::read_recipe(text->get<std::string>(), checkpoint.path.string());
  trained.model = std::make_unique<models::MaskedAutoencoder>(
      train::autoencoder_options(trained.recipe), static_cast<uint64_t>(trained.recipe.run.seed));
  train::load_model(trained.model->parameters(), checkpoint.model, checkpoint.path.string());
  trained.path = checkpoint.path;
  trained.step = checkpoint.step;
  return trained;
}

}  // namespace fcm::tasks
