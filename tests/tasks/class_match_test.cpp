// Matching the outputs of a classifier to the classes of a data set: by name, or by order with a
// note. Classes that do not match are refused.
#include "fcm/tasks/class_match.h"

#include <gtest/gtest.h>

#include "fcm/loader/wrapped_dataset.h"
#include "tests/support/error_of.h"
#include "tests/tasks/drawn_set.h"

namespace fcm::tasks {
namespace {

using Names = std::vector<std::string>;

std::shared_ptr<const loader::Dataset> set_of(const Names& classes) {
  std::vector<tests::DrawnSet::DrawnImage> images;
  for (int64_t label = 0; label < std::ssize(classes); ++label) {
    images.push_back({"of " + classes[static_cast<size_t>(label)], label, 0});
  }
  return std::make_shared<tests::DrawnSet>(std::move(images), classes);
}

// For each class of the data set, the index of the matching output of the classifier.
std::vector<int64_t> answers(const ClassMatch& match) {
  std::vector<int64_t> found;
  for (int64_t i = 0; i < match.dataset->size(); ++i) found.push_back(match.dataset->label(i));
  return found;
}

ClassMatch match(const Names& trained, int64_t count, const Names& found) {
  return match_classes({trained, false}, count, set_of(found), "DATA", "CKPT");
}

// A data set whose labels are numbers without class names, as in lists.
std::shared_ptr<const loader::Dataset> numbered_set(int64_t classes) {
  class Numbered final : public loader::WrappedDataset {
   public:
    explicit Numbered(std::shared_ptr<const loader::Dataset> set) : WrappedDataset(std::move(set)) {
      remarks_.only_numbered = true;
    }
  };
  Names names;
  for (int64_t i = 0; i < classes; ++i) names.push_back(std::to_string(i));
  return std::make_shared<Numbered>(set_of(names));
}

TEST(ClassMatch, TheSameClassesNeedNoWord) {
  const ClassMatch same = match({"a", "b"}, 2, {"a", "b"});
  EXPECT_EQ(answers(same), (std::vector<int64_t>{0, 1}));
  EXPECT_TRUE(same.notes.empty());
  const Names twice = {"crane", "bird", "crane"};  // ImageNet has two classes of this name
  EXPECT_TRUE(match(twice, 3, twice).notes.empty());
}

TEST(ClassMatch, AnotherOrderIsMatchedByName) {
  const ClassMatch other = match({"a", "b", "c"}, 3, {"c", "a", "b"});
  EXPECT_EQ(answers(other), (std::vector<int64_t>{2, 0, 1}));
  EXPECT_EQ(other.dataset->classes(), (Names{"a", "b", "c"}));
  EXPECT_EQ(other.dataset->name(0), "of c");
  ASSERT_EQ(other.notes.size(), 1u);
  EXPECT_NE(other.notes[0].find("matched by name"), std::string::npos);
}

TEST(ClassMatch, SomeOfTheClassesAreMatchedByName) {
  const ClassMatch some = match({"a", "b", "c"}, 3, {"b", "c"});
  EXPECT_EQ(answers(some), (std::vector<int64_t>{1, 2}));
  ASSERT_EQ(some.notes.size(), 1u);
  EXPECT_NE(some.notes[0].find("2 of the 3 classes"), std::string::npos);
}

TEST(ClassMatch, ClassesThatAreNotKnownAreRefused) {
  for (const Names& found : {Names{"b", "c", "d"}, Names{"d"}, Names{"a", "b", "c", "d"}}) {
    const std::string message = test::error_of(ExitCode::kData, [&] {
      match({"a", "b", "c"}, 3, found);
    });
    EXPECT_NE(message.find("does not have \"d\""), message.npos) << message;
  }
}

// The data set sorts folders "0" to "10" by name, but the classifier has them in numeric order.
TEST(ClassMatch, NumbersThatAreNamesOnBothSidesAreMatchedByName) {
  Names numbers;
  for (int i = 0; i < 11; ++i) numbers.push_back(std::to_string(i));
  const ClassMatch other =
      match(numbers, 11, {"0", "1", "10", "2", "3", "4", "5", "6", "7", "8", "9"});
  EXPECT_EQ(answers(other), (std::vector<int64_t>{0, 1, 10, 2, 3, 4, 5, 6, 7, 8, 9}));
}

TEST(ClassMatch, WhatIsOnlyNumberedIsTakenInOrderAndSaid) {
  for (const ClassMatch& numbered :
       {match_classes({{"a", "b"}, false}, 2, numbered_set(2), "DATA", "CKPT"),
        match_classes({{"0", "1"}, true}, 2, set_of({"a", "b"}), "DATA", "CKPT")}) {
    EXPECT_EQ(answers(numbered), (std::vector<int64_t>{0, 1}));
    ASSERT_EQ(numbered.notes.size(), 1u);
    EXPECT_NE(numbered.notes[0].find("matched by index"), std::string::npos);
  }
  EXPECT_THROW(match_classes({{"a", "b"}, false}, 2, numbered_set(3), "DATA", "CKPT"), Error);
}

// Folders "0", "1" and "2" are class names that look like numbers; nothing says that "0" is "a".
TEST(ClassMatch, FoldersThatAreCalledByNumbersAreRefusedWhereTheOthersHaveNames) {
  for (const auto& [trained, found] : {std::pair{Names{"a", "b", "c"}, Names{"0", "1", "2"}},
                                       std::pair{Names{"0", "1", "2"}, Names{"a", "b", "c"}}}) {
    const std::string message = test::error_of(ExitCode::kData, [&] { match(trained, 3, found); });
    EXPECT_NE(message.find("does not have \"" + found[0] + "\""), message.npos) << message;
  }
}

TEST(ClassMatch, WithoutClassNamesTheNumberOfClassesDecidesWithANote) {
  const ClassMatch unknown = match({}, 2, {"a", "b"});
  ASSERT_EQ(unknown.notes.size(), 1u);
  EXPECT_NE(unknown.notes[0].find("does not say"), std::string::npos);
  EXPECT_NE(test::error_of(ExitCode::kData, [&] { match({}, 3, {"a", "b"}); }), "");
}

}  // namespace
}  // namespace fcm::tasks
