// Everything that defines a run, except where it runs (data, output, device, threads are flags).
#pragma once

#include <string>

#include "fcm/decoder/options.h"
#include "fcm/encoder/options.h"
#include "fcm/loader/options.h"
#include "fcm/masks/options.h"
#include "fcm/models/options.h"
#include "fcm/optim/options.h"
#include "fcm/targets/options.h"
#include "fcm/train/options.h"

namespace fcm::train {

// What the recipe stands for: a row of the published results table, or nothing of the kind.
struct RowOptions {
  std::string name;
  std::string about;

  template <class Visitor>
  void visit(Visitor& visitor) {
    visitor("name", name, config::OneOf{}, "name of the recipe");
    visitor("about", about, config::OneOf{}, "what it is and what to expect of it");
  }
};

struct Recipe {
  RowOptions row;
  models::ModelOptions model;
  encoder::EncoderOptions encoder;
  decoder::DecoderOptions decoder;
  masks::MaskOptions masks;
  targets::TargetOptions targets;
  loader::DataOptions data;
  optim::OptimOptions optim;
  RunOptions run;

  template <class Visitor>
  void visit(Visitor& visitor) {
    visitor.section("row", row);
    visitor.section("model", model);
    visitor.section("encoder", encoder);
    visitor.section("decoder", decoder);
    visitor.section("masks", masks);
    visitor.section("targets", targets);
    visitor.section("data", data);
    visitor.section("optim", optim);
    visitor.section("run", run);
  }
};

}  // namespace fcm::train
