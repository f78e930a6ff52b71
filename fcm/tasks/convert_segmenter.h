// checkpoint convert --to mmseg.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "fcm/checkpoint/checkpoint.h"
#include "fcm/recipe/recipe.h"

namespace fcm::tasks {

// Writes a segmenter as a file of mmsegmentation (interop/mmseg.h). The recipe is its own or one
// made of its sizes, with which the reason is given where there is none; `recipe_text` goes along
// where it is not empty. Names of classes are those it was trained on, numbers where it does not
// say; colours those of this program's images, or of the file it came from.
void write_mmseg_of(const std::filesystem::path& out, const checkpoint::Checkpoint& checkpoint,
                    const std::optional<recipe::Recipe>& recipe, const std::string& recipe_text);

}  // namespace fcm::tasks
