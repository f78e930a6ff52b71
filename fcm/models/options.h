#pragma once

#include <cstdint>
#include <string>

#include "fcm/config/field.h"
#include "fcm/encoder/options.h"

namespace fcm::models {

struct ModelOptions {
  std::string kind = encoder::kDefaultKind;
  std::string precision = "auto";

  template <class Visitor>
  void visit(Visitor& visitor) {
    visitor("kind", kind, config::OneOf{encoder::kinds()}, "family of the encoder");
    visitor("precision", precision, config::OneOf{{"auto", "fp32", "bf16"}},
            "compute type; auto is bf16 on a GPU and on processors with bf16 instructions");
  }
};

}  // namespace fcm::models
