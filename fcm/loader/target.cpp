#include "fcm/loader/target.h"

#include "fcm/base/error.h"

namespace fcm::loader {
namespace {

using Labels = std::vector<int64_t>;

// One function for each alternative, so that a new one must be thought of.
template <class... Functions>
struct Cases : Functions... {
  using Functions::operator()...;
};
template <class... Functions>
Cases(Functions...) -> Cases<Functions...>;  // for Clang 14

template <class Wanted>
const Wanted& as(const Target& target) {
  const auto* const found = std::get_if<Wanted>(&target);
  require(found != nullptr,
          "Targets: a target of kind {} (its place in Target), wanted the kind that the "
          "batch was made for",
          target.index());
  return *found;
}

}  // namespace

Targets::Targets(TargetKind kind, int64_t count) {
  switch (kind) {
    case TargetKind::kNone:
      break;
    case TargetKind::kLabel:
      held_ = Labels(static_cast<size_t>(count), Label{}.class_number);
      break;
  }
}

const std::vector<int64_t>& Targets::labels() const {
  const auto* const labels = std::get_if<Labels>(&held_);
  require(labels != nullptr,
          "Targets: labels() of a batch that was loaded with targets of another kind, "
          "wanted TargetKind::kLabel");
  return *labels;
}

void Targets::set(int64_t index, const Target& target) {
  std::visit(Cases{[&](std::monostate) { as<NoTarget>(target); },
                   [&](Labels& labels) {
                     labels[static_cast<size_t>(index)] = as<Label>(target).class_number;
                   }},
             held_);
}

void Targets::keep(const std::vector<int64_t>& indices) {
  std::visit(Cases{[](std::monostate) {},
                   [&](Labels& labels) {
                     for (size_t i = 0; i < indices.size(); ++i) {
                       labels[i] = labels[static_cast<size_t>(indices[i])];
                     }
                     labels.resize(indices.size());
                   }},
             held_);
}

}  // namespace fcm::loader
