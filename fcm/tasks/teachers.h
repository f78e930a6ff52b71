// Loads the networks whose features are a recipe's targets. Their weights are in the files that the
// authors released.
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

// Loads a teacher's tensors from its file. Positions of another grid are resized as the authors of
// the tower do it. Throws Error(kCheckpoint), which names `source` and all mismatches.
void fill_teacher(targets::Teacher& teacher, interop::TeacherFile& file, const std::string& source);

// Loads the teachers of a recipe to `device`; nullptr if no target of the recipe is a feature. The
// weights of an EMA teacher have to be set afterwards. Reports assumptions about the files. Throws
// Error(kCheckpoint) if a needed file is missing or holds another tower than the recipe needs, and
// Error(kUsage) for a file that no target needs.
std::unique_ptr<targets::Teachers> load_teachers(const recipe::Recipe& recipe,
                                                 const TeacherFiles& files, at::Device device,
                                                 Reporter& reporter);

}  // namespace fcm::tasks
