#include "fcm/loader/target.h"

#include <algorithm>

#include "fcm/base/error.h"

namespace fcm::loader {
namespace {

using Labels = std::vector<int64_t>;
using OfImages = std::vector<Instances>;

// Overloads for std::visit. An alternative without an overload does not compile.
template <class... Functions>
struct Cases : Functions... {
  using Functions::operator()...;
};
template <class... Functions>
Cases(Functions...) -> Cases<Functions...>;  // Clang 14 needs this guide

template <class Wanted>
Wanted& as(Target& target) {
  auto* const found = std::get_if<Wanted>(&target);
  require(
      found != nullptr,
      "Targets: got a target of kind {} (index in Target), expected the kind that the batch was "
      "created for",
      target.index());
  return *found;
}

}  // namespace

Targets::Targets(TargetKind kind, int64_t count, int64_t rows, int64_t cols) {
  switch (kind) {
    case TargetKind::kNone:
      break;
    case TargetKind::kLabel:
      held_ = Labels(static_cast<size_t>(count), Label{}.class_number);
      break;
    case TargetKind::kMap:
      require(rows > 0 && cols > 0, "Targets: expected maps of at least 1 x 1, got {} x {}", rows,
              cols);
      held_ = ClassMaps{rows, cols,
                        std::vector<uint8_t>(static_cast<size_t>(count * rows * cols), kIgnored)};
      break;
    case TargetKind::kInstances:
      held_ = OfImages(static_cast<size_t>(count));
      break;
  }
}

const std::vector<int64_t>& Targets::labels() const {
  const auto* const labels = std::get_if<Labels>(&held_);
  require(labels != nullptr,
          "Targets: labels() of a batch that was loaded with targets of another kind, "
          "expected TargetKind::kLabel");
  return *labels;
}

const ClassMaps& Targets::maps() const {
  const auto* const maps = std::get_if<ClassMaps>(&held_);
  require(maps != nullptr,
          "Targets: maps() of a batch that was loaded with targets of another kind, expected "
          "TargetKind::kMap");
  return *maps;
}

const std::vector<Instances>& Targets::instances() const {
  const auto* const instances = std::get_if<OfImages>(&held_);
  require(instances != nullptr,
          "Targets: instances() of a batch that was loaded with targets of another kind, expected "
          "TargetKind::kInstances");
  return *instances;
}

void Targets::set(int64_t index, Target target) {
  std::visit(Cases{[&](std::monostate) { as<NoTarget>(target); },
                   [&](Labels& labels) {
                     labels[static_cast<size_t>(index)] = as<Label>(target).class_number;
                   },
                   [&](ClassMaps& maps) {
                     const ClassMap& map = as<ClassMap>(target);
                     require(map.rows == maps.rows && map.cols == maps.cols,
                             "Targets: got a map of {} x {}, expected the batch's {} x {}",
                             map.rows, map.cols, maps.rows, maps.cols);
                     std::ranges::copy(map.classes,
                                       maps.classes_BHW.begin() + index * maps.rows * maps.cols);
                   },
                   [&](OfImages& images) {
                     images[static_cast<size_t>(index)] = std::move(as<Instances>(target));
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
                   },
                   [&](ClassMaps& maps) {
                     const int64_t size = maps.rows * maps.cols;
                     const auto begin = maps.classes_BHW.begin();
                     for (int64_t i = 0; i < std::ssize(indices); ++i) {
                       const auto from = begin + indices[static_cast<size_t>(i)] * size;
                       std::copy(from, from + size, begin + i * size);
                     }
                     maps.classes_BHW.resize(indices.size() * static_cast<size_t>(size));
                   },
                   [&](OfImages& images) {
                     for (size_t i = 0; i < indices.size(); ++i) {
                       const auto from = static_cast<size_t>(indices[i]);
                       if (from != i) images[i] = std::move(images[from]);
                     }
                     images.resize(indices.size());
                   }},
             held_);
}

}  // namespace fcm::loader
