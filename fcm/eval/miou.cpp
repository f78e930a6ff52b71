#include "fcm/eval/miou.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>

#include "fcm/base/error.h"

namespace fcm::eval {
namespace {

// 100 * part is exact below 2^53, so the result is rounded only once.
double percent_of(int64_t part, int64_t whole) {
  if (whole == 0) return std::numeric_limits<double>::quiet_NaN();
  return static_cast<double>(100 * part) / static_cast<double>(whole);
}

struct MeanOfNumbers {
  double sum = 0;
  int64_t count = 0;

  void add(double value) {
    if (std::isnan(value)) return;
    sum += value;
    ++count;
  }
  double mean() const {
    return count == 0 ? std::numeric_limits<double>::quiet_NaN() : sum / static_cast<double>(count);
  }
};

nlohmann::json number_or_null(double value) {
  return std::isnan(value) ? nlohmann::json() : nlohmann::json(value);
}

}  // namespace

double ClassOverlap::iou() const { return percent_of(intersection, in_union()); }
double ClassOverlap::accuracy() const { return percent_of(intersection, labelled); }

ClassCounts::ClassCounts(int64_t classes) : classes_(classes) {
  require(classes >= 1 && classes <= kIgnored, "class maps: expected 1 to {1} classes, got {0}",
          classes, int64_t{kIgnored});
  pairs_.resize(static_cast<size_t>(classes * classes));
}

void ClassCounts::count_run(uint8_t predicted, uint8_t label, int64_t pixels) {
  require(predicted < classes_ && (label < classes_ || label == kIgnored),
          "got a pixel of label {} and prediction {}, expected classes below {} (or label 255)",
          label, predicted, classes_);
  if (label != kIgnored) pairs_[static_cast<size_t>(label * classes_ + predicted)] += pixels;
}

void ClassCounts::add(std::span<const uint8_t> predicted, std::span<const uint8_t> labels) {
  require(predicted.size() == labels.size(),
          "expected one label per pixel, got {} pixels and {} labels", predicted.size(),
          labels.size());
  ++images_;
  // Class maps have large uniform regions, so runs of equal (prediction, label) pairs are counted
  // at once.
  size_t start = 0;
  for (size_t i = 0; i < labels.size(); ++i) {
    if (predicted[i] == predicted[start] && labels[i] == labels[start]) continue;
    count_run(predicted[start], labels[start], static_cast<int64_t>(i - start));
    start = i;
  }
  if (start < labels.size()) {
    count_run(predicted[start], labels[start], static_cast<int64_t>(labels.size() - start));
  }
}

void ClassCounts::add_other_ranks(dist::Group& group) {
  if (group.size() == 1) return;
  group.sum(at::from_blob(pairs_.data(), {std::ssize(pairs_)}, at::kLong));
  images_ = group.agree(images_, dist::Agree::kSum);
}

MeanIou ClassCounts::result() const {
  MeanIou measured;
  measured.images = images_;
  measured.classes.resize(static_cast<size_t>(classes_));
  const int64_t* pair = pairs_.data();
  for (ClassOverlap& labelled : measured.classes) {
    for (ClassOverlap& predicted : measured.classes) {
      labelled.labelled += *pair;
      predicted.predicted += *pair;
      if (&labelled == &predicted) labelled.intersection = *pair;
      ++pair;
    }
  }
  MeanOfNumbers iou, accuracy;
  int64_t right = 0;
  for (const ClassOverlap& one : measured.classes) {
    iou.add(one.iou());
    accuracy.add(one.accuracy());
    measured.pixels += one.labelled;
    right += one.intersection;
  }
  measured.miou = iou.mean();
  measured.macc = accuracy.mean();
  measured.aacc = percent_of(right, measured.pixels);
  return measured;
}

nlohmann::json class_lines(const MeanIou& measured, const std::vector<std::string>& names) {
  require(names.size() == measured.classes.size(),
          "expected one name per class, got {} classes and {} names", measured.classes.size(),
          names.size());
  nlohmann::json lines = nlohmann::json::array();
  for (size_t i = 0; i < names.size(); ++i) {
    const ClassOverlap& one = measured.classes[i];
    lines.push_back({{"class", names[i]},
                     {"iou", number_or_null(one.iou())},
                     {"accuracy", number_or_null(one.accuracy())},
                     {"pixels", one.labelled}});
  }
  return lines;
}

}  // namespace fcm::eval
