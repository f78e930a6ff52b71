#include "fcm/tasks/convert_segmenter.h"

#include <cmath>

#include "fcm/interop/about.h"
#include "fcm/interop/mmseg.h"
#include "fcm/interop/segmenters.h"
#include "fcm/tasks/image_set.h"
#include "fcm/tasks/segmentation_sheets.h"
#include "fcm/viz/class_colours.h"

namespace fcm::tasks {

void write_mmseg_of(const std::filesystem::path& out, const checkpoint::Checkpoint& checkpoint,
                    const std::optional<recipe::Recipe>& recipe, const std::string& recipe_text) {
  // Throws an error that says what is unknown if no recipe can be inferred.
  const recipe::Recipe known = recipe ? *recipe : interop::segmenter_recipe(checkpoint, {});
  const nlohmann::json& state = checkpoint.state;
  const interop::SegmenterArchitecture found =
      interop::segmenter_architecture(checkpoint.model.tensors, checkpoint.path.string());
  const std::optional<ImageSet> trained_on = stored_set(state, kTrainedOn);
  interop::MmsegFile file;
  file.model = checkpoint.model.tensors;
  const int64_t patch = known.encoder.patch_side();
  file.rows = known.data.image_size[0] / patch;
  file.cols = known.data.image_size[1] / patch;
  file.classes =
      class_names(trained_on ? trained_on->classes : std::vector<std::string>{}, found.classes);
  file.palette = class_colours_of(trained_on, found.classes);
  if (file.palette.empty()) file.palette = viz::class_colours(found.classes);
  file.iterations = checkpoint.step;
  file.epoch = static_cast<int64_t>(std::floor(state.value("epoch", 0.0) + 1e-6)) + 1;
  file.meta = state.value(interop::kMetaKey, nlohmann::json());
  file.name = known.row.name;
  file.recipe = recipe_text;
  file.about = interop::about_text(state);
  interop::write_mmseg(out, file);
}

}  // namespace fcm::tasks
