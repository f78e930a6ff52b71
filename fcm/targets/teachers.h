// All teachers of a recipe.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <string>

#include "fcm/masks/view_plan.h"
#include "fcm/targets/ema_teacher.h"
#include "fcm/targets/features.h"
#include "fcm/targets/options.h"
#include "fcm/targets/teacher.h"

namespace fcm::targets {

class Teachers {
 public:
  // Towers in `of_files` ("clip", "dino") have the options given there, and the caller loads their
  // parameters from a file. Every other tower has the size that `options` names, and random
  // parameters.
  Teachers(const TargetOptions& options, const Student& student,
           const at::TensorOptions& held = at::kFloat,
           const std::map<std::string, TeacherOptions>& of_files = {});

  EmaTeacher* ema() { return ema_.get(); }  // nullptr: the EMA is not a target

  const Teacher& tower(const std::string& name) const { return *towers_.at(name); }
  Teacher& tower(const std::string& name) { return *towers_.at(name); }

  // Features of every feature target. Each teacher runs once, without gradients, in `compute`.
  // images: uint8 [B, H, W, C]; pixels [B, L, P, D]: patches of the same images in plan order,
  // normalised for the student.
  Features features(const at::Tensor& images_BHWC, const at::Tensor& pixels_BLPD,
                    const masks::ViewPlan& plan, at::ScalarType compute) const;

 private:
  TargetOptions options_;
  std::map<std::string, std::unique_ptr<Teacher>> towers_;
  std::unique_ptr<EmaTeacher> ema_;
};

// Images uint8 [B, H, W, 3] -> a tower's input [B, L, 1, stride^2 * 3], float32, in the order
// order_BL: normalised, and resized (bicubic, antialiased) if the tower's image size differs.
at::Tensor tower_pixels(const at::Tensor& images_BHWC, const at::Tensor& order_BL,
                        const Teacher& teacher);

}  // namespace fcm::targets
