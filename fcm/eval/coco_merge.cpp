// Merges the evaluations of several threads, and of the ranks of a group.
#include <cstring>
#include <type_traits>

#include "fcm/base/error.h"
#include "fcm/dist/group.h"
#include "fcm/eval/coco.h"

namespace fcm::eval {
namespace {

static_assert(sizeof(CocoOutcome) == 24);  // without padding; coco.h states this size

// Appends values in their layout in memory, which is the same in every rank: all run one program.
template <class Number>
void append_values(std::string& bytes, std::span<const Number> values) {
  static_assert(std::is_trivially_copyable_v<Number>);
  bytes.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
}

void append_count(std::string& bytes, int64_t count) {
  append_values(bytes, std::span<const int64_t>(&count, 1));
}

class StateReader {
 public:
  explicit StateReader(std::string_view bytes) : left_(bytes) {}

  template <class Number>
  std::vector<Number> values(int64_t count) {
    require(count >= 0 && static_cast<uint64_t>(count) <= left_.size() / sizeof(Number),
            "expected {} values of {} bytes, got {} bytes", count, sizeof(Number), left_.size());
    std::vector<Number> result(static_cast<size_t>(count));
    const size_t bytes = result.size() * sizeof(Number);
    if (bytes > 0) std::memcpy(result.data(), left_.data(), bytes);
    left_.remove_prefix(bytes);
    return result;
  }
  int64_t count() { return values<int64_t>(1)[0]; }
  void finish() const {
    require(left_.empty(), "expected the end of the state, got {} bytes more", left_.size());
  }

 private:
  std::string_view left_;
};

}  // namespace

void CocoEvaluation::merge(const CocoEvaluation& other) {
  require(shape_ == other.shape_ && categories_.size() == other.categories_.size(),
          "merge: expected evaluations of one kind (boxes or masks) with the same number of "
          "categories, got {} and {} categories",
          categories_.size(), other.categories_.size());
  for (const int64_t image : other.images_) {
    require(!images_.contains(image), "image {} is added twice", image);
  }
  images_.insert(other.images_.begin(), other.images_.end());
  detections_ += other.detections_;
  for (size_t i = 0; i < categories_.size(); ++i) {
    OfCategory& mine = categories_[i];
    const OfCategory& theirs = other.categories_[i];
    for (size_t range = 0; range < mine.truths.size(); ++range) {
      mine.truths[range] += theirs.truths[range];
    }
    mine.images.insert(mine.images.end(), theirs.images.begin(), theirs.images.end());
    mine.outcomes.insert(mine.outcomes.end(), theirs.outcomes.begin(), theirs.outcomes.end());
  }
}

std::string CocoEvaluation::state() const {
  std::string bytes;
  append_count(bytes, shape_ == CocoShape::kMask ? 1 : 0);
  append_count(bytes, std::ssize(categories_));
  append_count(bytes, detections_);
  append_count(bytes, static_cast<int64_t>(images_.size()));
  const std::vector<int64_t> images(images_.begin(), images_.end());
  append_values(bytes, std::span<const int64_t>(images));
  for (const OfCategory& one : categories_) {
    append_values(bytes, std::span<const int64_t>(one.truths));
    append_count(bytes, std::ssize(one.images));
    append_values(bytes, std::span<const ImageRange>(one.images));
    append_count(bytes, std::ssize(one.outcomes));
    append_values(bytes, std::span<const CocoOutcome>(one.outcomes));
  }
  return bytes;
}

CocoEvaluation CocoEvaluation::from_state(std::string_view bytes) {
  StateReader reader(bytes);
  const CocoShape shape = reader.count() == 1 ? CocoShape::kMask : CocoShape::kBox;
  CocoEvaluation evaluation(reader.count(), shape);
  evaluation.detections_ = reader.count();
  const std::vector<int64_t> images = reader.values<int64_t>(reader.count());
  evaluation.images_.insert(images.begin(), images.end());
  for (OfCategory& one : evaluation.categories_) {
    for (int64_t& truths : one.truths) truths = reader.count();
    one.images = reader.values<ImageRange>(reader.count());
    one.outcomes = reader.values<CocoOutcome>(reader.count());
  }
  reader.finish();
  return evaluation;
}

void CocoEvaluation::add_other_ranks(dist::Group& group) {
  if (group.size() == 1) return;
  const std::vector<std::string> states = dist::gather_texts(group, state());
  for (int64_t rank = 0; rank < group.size(); ++rank) {
    if (rank != group.rank()) merge(from_state(states[static_cast<size_t>(rank)]));
  }
}

}  // namespace fcm::eval
