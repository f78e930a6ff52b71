// What a picture teaches beside itself: of one sample, and of all samples of a batch.
#pragma once

#include <cstdint>
#include <utility>
#include <variant>
#include <vector>

#include "fcm/loader/instances.h"

namespace fcm::loader {

// Whoever makes a loader names the kind that is used; no other is read. Another kind is an entry
// here, an alternative in Target and one in Targets: whatever has to handle it does not compile
// until it does.
enum class TargetKind { kNone, kLabel, kMap, kInstances };

struct NoTarget {};
struct Label {
  int64_t class_number = -1;  // -1: the picture has none
};
inline constexpr uint8_t kIgnored = 255;  // in a map: no class is learnt or counted here
// The class of every pixel.
struct ClassMap {
  int64_t rows = 0, cols = 0;
  std::vector<uint8_t> classes;  // rows x cols
};
using Target = std::variant<NoTarget, Label, ClassMap, Instances>;

// Maps of one size, one a picture.
struct ClassMaps {
  int64_t rows = 0, cols = 0;
  std::vector<uint8_t> classes_BHW;  // kIgnored where nothing is learnt
  bool operator==(const ClassMaps&) const = default;
};

// Those of a batch, all of one kind, in the order of its pictures.
class Targets {
 public:
  Targets() = default;  // of kind kNone
  // Of maps, `rows` and `cols` are the size.
  Targets(TargetKind kind, int64_t count, int64_t rows = 0, int64_t cols = 0);
  explicit Targets(std::vector<int64_t> labels) : held_(std::move(labels)) {}

  // Numbers of the classes, one a picture; -1: none. std::logic_error where the batch was loaded
  // without labels.
  const std::vector<int64_t>& labels() const;
  // std::logic_error where the batch was loaded without maps.
  const ClassMaps& maps() const;
  // The objects of each picture. std::logic_error where the batch was loaded without instances.
  const std::vector<Instances>& instances() const;

  // Puts `target`, which must be of this kind, in place `index`; several threads may, in different
  // places.
  void set(int64_t index, Target target);
  // Leaves those at `indices`, which ascend.
  void keep(const std::vector<int64_t>& indices);

  bool operator==(const Targets&) const = default;

 private:
  std::variant<std::monostate, std::vector<int64_t>, ClassMaps, std::vector<Instances>> held_;
};

}  // namespace fcm::loader
