// The networks whose features a recipe reconstructs, read from their published files.
#pragma once

#include <memory>

#include "fcm/recipe/recipe.h"
#include "fcm/targets/teachers.h"
#include "fcm/tasks/tasks.h"

namespace fcm::tasks {

// nullptr: the recipe reconstructs pixels alone. The EMA, if there is one, is still to be given its
// start. They lie on `device`. Positions of another grid are resized. Throws Error(kCheckpoint) for
// a file that is not named or does not fit, with everything that does not; Error(kUsage) for a file
// that no target asks for.
std::unique_ptr<targets::Teachers> load_teachers(const recipe::Recipe& recipe,
                                                 const TeacherFiles& files, at::Device device);

}  // namespace fcm::tasks
