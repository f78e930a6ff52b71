// Switches for finding out where a result goes wrong. They are no part of what a run is: a recipe
// need not name them, and a run goes on whatever they say.
#pragma once

namespace fcm::recipe {

struct DebugOptions {
  bool reference_ops = false;

  template <class Visitor>
  void visit(Visitor& visitor) {
    visitor.off_unless_named(
        "reference_ops", reference_ops,
        "every operator by its plain reference, not by its kernels: slow; off where it is left out");
  }
};

}  // namespace fcm::recipe
