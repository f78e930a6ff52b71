// The networks whose features a recipe reconstructs, read from their published files.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "fcm/base/reporter.h"
#include "fcm/interop/teacher_file.h"
#include "fcm/recipe/recipe.h"
#include "fcm/targets/teachers.h"
#include "fcm/tasks/tasks.h"

namespace fcm::tasks {

// Gives a teacher the tensors of its file. Positions of another grid are resized as the authors of
// the tower do. `source` is named in errors: Error(kCheckpoint) with everything that does not fit.
void fill_teacher(targets::Teacher& teacher, interop::TeacherFile& file, const std::string& source);

// nullptr: the recipe reconstructs pixels alone. The EMA, if there is one, is still to be given its
// start. They lie on `device`. What was assumed about a file is said. Throws Error(kCheckpoint) for
// a file that is not named or holds another tower than the recipe's, with what it holds;
// Error(kUsage) for a file that no target asks for.
std::unique_ptr<targets::Teachers> load_teachers(const recipe::Recipe& recipe,
                                                 const TeacherFiles& files, at::Device device,
                                                 Reporter& reporter);

}  // namespace fcm::tasks
