// checkpoint convert --to mmseg.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "fcm/checkpoint/checkpoint.h"
#include "fcm/recipe/recipe.h"

namespace fcm::tasks {

// Writes a segmenter as a file of mmsegmentation (interop/mmseg.h). Without `recipe`, one is
// inferred, or the error says what is unknown. `recipe_text` is stored unless it is empty. Class
// names are those of training, or numbers if unknown; colours those of this program's sheets, or of
// the file it came from.
void write_mmseg_of(const std::filesystem::path& out, const checkpoint::Checkpoint& checkpoint,
                    const std::optional<recipe::Recipe>& recipe, const std::string& recipe_text);

}  // namespace fcm::tasks
