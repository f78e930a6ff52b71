#include "fcm/tasks/data.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>

#include "fcm/base/counted.h"
#include "fcm/base/error.h"
#include "fcm/loader/wrapped_dataset.h"
#include "fcm/tasks/image_set.h"
#include "fcm/tasks/machine.h"

namespace fcm::tasks {
namespace {

using Lines = std::vector<std::string>;

std::shared_ptr<const loader::Dataset> open(const std::string& data, loader::Split split,
                                            loader::TargetKind wanted,
                                            const MachineOptions& machine) {
  loader::OpenOptions options = open_options(machine);
  options.wanted = wanted;
  return loader::open_dataset(data, split, options);
}

void say(const std::string& data, loader::Split split, const Lines& lines, Reporter& reporter) {
  const char* const which = split == loader::Split::kTrain ? "" : ", validation images";
  for (const std::string& line : lines) reporter.info(fmt::format("{}{}: {}", data, which, line));
}

void say_warnings(const std::string& data, loader::Split split, const Lines& lines,
                  Reporter& reporter) {
  const char* const which = split == loader::Split::kTrain ? "" : ", validation images";
  for (const std::string& line : lines) reporter.warn(fmt::format("{}{}: {}", data, which, line));
}

// The lines that are not among `said`.
Lines unsaid(Lines lines, const Lines& said) {
  std::erase_if(
      lines, [&](const std::string& line) { return std::ranges::find(said, line) != said.end(); });
  return lines;
}

void need_labels(const std::string& data, const loader::Dataset& dataset, Reporter& reporter) {
  const loader::Remarks& remarks = dataset.remarks();
  if (remarks.bad_labels == 0 && dataset.classes().empty()) {
    fail(ExitCode::kData, "{} has no labels, which accuracy needs: {}", data, remarks.no_labels);
  }
  if (remarks.bad_labels == 0) return;
  const std::string found = fmt::format(
      "{}: {} of {} {} no usable label; the "
      "first: {}",
      data, remarks.bad_labels, counted(dataset.size(), "image", "images"),
      noun(remarks.bad_labels, "has", "have"), remarks.first_bad_label);
  constexpr int64_t kOneIn = 10;
  if (dataset.classes().empty() || remarks.bad_labels > dataset.size() / kOneIn) {
    fail(ExitCode::kData, "{}", found);
  }
  reporter.warn(found);
}

// The names in `from` that are not in `other`, as part of a sentence.
std::string only_in(const char* where, Lines from, Lines other) {
  std::ranges::sort(from);
  std::ranges::sort(other);
  Lines only;
  std::ranges::set_difference(from, other, std::back_inserter(only));
  if (only.empty()) return "";
  constexpr ptrdiff_t kShown = 5;
  const auto shown = only.begin() + std::min<ptrdiff_t>(std::ssize(only), kShown);
  return fmt::format(
      "; only {}: {}{}", where, fmt::join(only.begin(), shown, ", "),
      std::ssize(only) > kShown ? fmt::format(" and {} more", only.end() - shown) : "");
}

// Part of a message: the first difference, if the names are the same but in another order.
std::string other_order(const Lines& train, const Lines& val) {
  if (train == val || !std::ranges::is_permutation(train, val)) return "";
  return "; they are the same in another order: " + first_difference(train, val);
}

class OptionalLabels final : public loader::WrappedDataset {
 public:
  using WrappedDataset::WrappedDataset;

  int64_t label(int64_t index) const override {
    if (remarks_.bad_labels == 0) return whole_->label(index);
    try {
      return whole_->label(index);
    } catch (const Error& error) {
      if (error.code() != ExitCode::kData) throw;
      return -1;
    }
  }
};

}  // namespace

Lines remark_lines(const loader::Dataset& dataset) {
  const loader::Remarks& remarks = dataset.remarks();
  Lines lines = remarks.notes;
  if (!remarks.left_out.empty()) lines.push_back("left out: " + as_text(remarks.left_out));
  return lines;
}

std::shared_ptr<const loader::Dataset> open_images(const std::string& data, loader::Split split,
                                                   const MachineOptions& machine,
                                                   Reporter& reporter, loader::TargetKind wanted) {
  auto dataset = open(data, split, wanted, machine);
  say(data, split, remark_lines(*dataset), reporter);
  say_warnings(data, split, dataset->remarks().warnings, reporter);
  return dataset;
}

std::shared_ptr<const loader::Dataset> open_labelled(const std::string& data, loader::Split split,
                                                     const MachineOptions& machine,
                                                     Reporter& reporter) {
  auto dataset = open_images(data, split, machine, reporter, loader::TargetKind::kLabel);
  need_labels(data, *dataset, reporter);
  if (dataset->classes().size() == 1) {
    reporter.warn(fmt::format("{} has only one class ({}), so accuracy is always 100 %", data,
                              class_list(printable(dataset->classes()))));
  }
  return dataset;
}

void refuse_different_classes(const std::string& data, const loader::Dataset& train,
                              const loader::Dataset& val) {
  if (train.classes() == val.classes()) return;
  const std::string train_only = only_in("in training", train.classes(), val.classes());
  const std::string val_only = only_in("in validation", val.classes(), train.classes());
  fail(ExitCode::kData,
       "{}: the classes of the training and validation images differ, so accuracy would mean "
       "nothing{}{}{}",
       data, train_only, val_only, other_order(train.classes(), val.classes()));
}

namespace {

// The validation images; remarks that also apply to the training images are not repeated.
std::shared_ptr<const loader::Dataset> open_validation(const std::string& data,
                                                       const loader::Dataset& train,
                                                       loader::TargetKind wanted,
                                                       const MachineOptions& machine,
                                                       Reporter& reporter) {
  auto val = open(data, loader::Split::kVal, wanted, machine);
  say(data, loader::Split::kVal, unsaid(remark_lines(*val), remark_lines(train)), reporter);
  say_warnings(data, loader::Split::kVal, unsaid(val->remarks().warnings, train.remarks().warnings),
               reporter);
  return val;
}

void need_instances(const std::string& data, const loader::Dataset& dataset) {
  if (dataset.has_instances()) return;
  fail(ExitCode::kData,
       "{} has no annotated objects, which detection needs: COCO's layout is supported, "
       "annotations/instances_train2017.json next to train2017/ (docs/tour/02-loader.md)",
       data);
}

void need_maps(const std::string& data, const loader::Dataset& dataset) {
  if (dataset.has_maps()) return;
  fail(ExitCode::kData,
       "{} has no class maps, which segmentation needs: folders images/ and annotations/ with "
       "files of equal names are supported (docs/tour/02-loader.md)",
       data);
}

}  // namespace

LabelledData open_labelled_splits(const std::string& data, const MachineOptions& machine,
                                  Reporter& reporter) {
  LabelledData both;
  both.train = open_labelled(data, loader::Split::kTrain, machine, reporter);
  both.val = open_validation(data, *both.train, loader::TargetKind::kLabel, machine, reporter);
  need_labels(data, *both.val, reporter);
  refuse_different_classes(data, *both.train, *both.val);
  return both;
}

std::shared_ptr<const loader::Dataset> open_mapped(const std::string& data, loader::Split split,
                                                   const MachineOptions& machine,
                                                   Reporter& reporter) {
  auto dataset = open_images(data, split, machine, reporter, loader::TargetKind::kMap);
  need_maps(data, *dataset);
  return dataset;
}

LabelledData open_mapped_splits(const std::string& data, const MachineOptions& machine,
                                Reporter& reporter) {
  LabelledData both;
  both.train = open_mapped(data, loader::Split::kTrain, machine, reporter);
  both.val = open_validation(data, *both.train, loader::TargetKind::kMap, machine, reporter);
  need_maps(data, *both.val);
  if (both.train->map_classes().names != both.val->map_classes().names) {
    fail(ExitCode::kData,
         "{}: the maps of the training and validation images have different classes", data);
  }
  return both;
}

std::shared_ptr<const loader::Dataset> open_instances(const std::string& data, loader::Split split,
                                                      const MachineOptions& machine,
                                                      Reporter& reporter) {
  auto dataset = open_images(data, split, machine, reporter, loader::TargetKind::kInstances);
  need_instances(data, *dataset);
  return dataset;
}

void warn_of_unlearnt(const std::string& data, const std::vector<int64_t>& trained,
                      const loader::InstanceClasses& measured, std::string_view trained_on,
                      Reporter& reporter) {
  if (measured.objects.empty()) return;
  Lines occur, unlearnt;
  for (size_t i = 0; i < measured.objects.size(); ++i) {
    if (measured.objects[i] == 0) continue;
    occur.push_back(measured.names[i]);
    if (trained.size() == measured.objects.size() && trained[i] == 0) {
      unlearnt.push_back(measured.names[i]);
    }
  }
  if (unlearnt.empty()) return;
  const int64_t count = std::ssize(unlearnt);
  reporter.warn(fmt::format(
      "{}: {} of the {} with objects in the validation images {} none in {} ({}): {}", data, count,
      counted(std::ssize(occur), "category", "categories"), noun(count, "has", "have"), trained_on,
      class_list(printable(unlearnt)),
      unlearnt.size() == occur.size() ? "no measured category was trained, so AP can only be 0.00"
      : count == 1                    ? "its AP can only be 0.00"
                                      : "their AP can only be 0.00"));
}

LabelledData open_instance_splits(const std::string& data, const MachineOptions& machine,
                                  Reporter& reporter) {
  LabelledData both;
  both.train = open_instances(data, loader::Split::kTrain, machine, reporter);
  both.val = open_validation(data, *both.train, loader::TargetKind::kInstances, machine, reporter);
  need_instances(data, *both.val);
  const loader::InstanceClasses& train = both.train->instance_classes();
  const loader::InstanceClasses& val = both.val->instance_classes();
  if (train.ids != val.ids && train.names == val.names) {
    fail(ExitCode::kData,
         "{}: the categories of the training and validation images have the same names, but "
         "other ids; give them the same in both files",
         data);
  }
  if (train.ids != val.ids || train.names != val.names) {
    fail(ExitCode::kData,
         "{}: the categories of the training and validation images differ, so precision would "
         "mean nothing{}{}",
         data, only_in("in training", train.names, val.names),
         only_in("in validation", val.names, train.names) + other_order(train.names, val.names));
  }
  warn_of_unlearnt(data, train.objects, val, "the training images", reporter);
  return both;
}

void warn_of_unreadable(const std::vector<std::string>& reasons, Reporter& reporter) {
  constexpr size_t kListed = 20;
  for (size_t i = 0; i < std::min(reasons.size(), kListed); ++i) {
    reporter.warn(fmt::format("not measured: {}", reasons[i]));
  }
  if (reasons.size() > kListed) {
    reporter.warn(fmt::format("not measured: {} more", reasons.size() - kListed));
  }
}

std::shared_ptr<const loader::Dataset> with_optional_labels(
    std::shared_ptr<const loader::Dataset> dataset) {
  return std::make_shared<OptionalLabels>(std::move(dataset));
}

}  // namespace fcm::tasks
