// Debugging switches. They do not define a run: a recipe need not name them, and a run can resume
// with other values.
#pragma once

namespace fcm::recipe {

struct DebugOptions {
  bool reference_ops = false;

  template <class Visitor>
  void visit(Visitor& visitor) {
    visitor.off_unless_named(
        "reference_ops", reference_ops,
        "run the slow reference of every operator instead of its kernels; off if left out");
  }
};

}  // namespace fcm::recipe
