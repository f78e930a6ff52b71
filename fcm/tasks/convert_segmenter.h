// The command checkpoint convert --to mmseg.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "fcm/checkpoint/checkpoint.h"
#include "fcm/recipe/recipe.h"

namespace fcm::tasks {

// Writes a segmenter as a file of mmsegmentation (interop/mmseg.h). Without `recipe`, the recipe is
// inferred; if that fails, the error says what is unknown. `recipe_text` is stored unless it is
// empty. Class names are those of training, or numbered if unknown. Colours are those of the
// training data, or else those of this program's sheets.
void write_mmseg_of(const std::filesystem::path& out, const checkpoint::Checkpoint& checkpoint,
                    const std::optional<recipe::Recipe>& recipe, const std::string& recipe_text);

}  // namespace fcm::tasks
