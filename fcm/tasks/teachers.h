// The networks whose features a recipe reconstructs, loaded from their published files.
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

// Loads a teacher's tensors from its file. Positions of another grid are resized as the tower's
// authors do. `source` is named in errors: Error(kCheckpoint) with all mismatches.
void fill_teacher(targets::Teacher& teacher, interop::TeacherFile& file, const std::string& source);

// nullptr: the recipe only reconstructs pixels. An EMA teacher still needs its start weights. The
// teachers are on `device`. Reports assumptions about the files. Throws Error(kCheckpoint) if a
// needed file is not given or holds another tower than the recipe's, with what it holds;
// Error(kUsage) for a file that no target needs.
std::unique_ptr<targets::Teachers> load_teachers(const recipe::Recipe& recipe,
                                                 const TeacherFiles& files, at::Device device,
                                                 Reporter& reporter);

}  // namespace fcm::tasks
