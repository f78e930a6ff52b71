// Training targets of one sample, and of all samples of a batch.
#pragma once

#include <cstdint>
#include <utility>
#include <variant>
#include <vector>

#include "fcm/loader/instances.h"

namespace fcm::loader {

// A loader reads only targets of the kind it was created for. A new kind needs an entry here and an
// alternative in Target and in Targets; code that must handle the kind then fails to compile until
// it does.
enum class TargetKind { kNone, kLabel, kMap, kInstances };

struct NoTarget {};
struct Label {
  int64_t class_number = -1;  // -1: no label
};
inline constexpr uint8_t kIgnored = 255;  // map value of pixels that losses and metrics skip
// The class number of every pixel, or kIgnored.
struct ClassMap {
  int64_t rows = 0, cols = 0;
  std::vector<uint8_t> classes;  // rows x cols
};
using Target = std::variant<NoTarget, Label, ClassMap, Instances>;

// The class maps of a batch, all of one size.
struct ClassMaps {
  int64_t rows = 0, cols = 0;
  std::vector<uint8_t> classes_BHW;  // class numbers, or kIgnored
  bool operator==(const ClassMaps&) const = default;
};

// The targets of a batch, all of one kind, in the order of its images.
class Targets {
 public:
  Targets() = default;  // of kind kNone
  // `rows` and `cols`: size of the maps, for kMap.
  Targets(TargetKind kind, int64_t count, int64_t rows = 0, int64_t cols = 0);
  explicit Targets(std::vector<int64_t> labels) : held_(std::move(labels)) {}

  // labels(): class numbers, one per image; -1: no label. labels(), maps() and instances() throw
  // std::logic_error for targets of another kind.
  const std::vector<int64_t>& labels() const;
  const ClassMaps& maps() const;
  // The objects of each image.
  const std::vector<Instances>& instances() const;

  // Stores `target`, which must be of the batch's kind, at `index`. Several threads may store at
  // different indices.
  void set(int64_t index, Target target);
  // Keeps only the targets at `indices`, which must be ascending.
  void keep(const std::vector<int64_t>& indices);

  bool operator==(const Targets&) const = default;

 private:
  std::variant<std::monostate, std::vector<int64_t>, ClassMaps, std::vector<Instances>> held_;
};

}  // namespace fcm::loader
