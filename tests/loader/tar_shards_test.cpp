// Tests data sets of tar shards, among them the shards of the sample data.
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "fcm/loader/dataset.h"
#include "tests/loader/support.h"
#include "tests/loader/tar_support.h"

namespace fcm::loader {
namespace {

namespace fs = std::filesystem;
using test::data_error;
using test::tar_end;
using test::tar_member;

std::string png_member(uint32_t seed) {
  const auto bytes = image::encode_png(test::pattern(3, 4, 3, seed));
  return {bytes.begin(), bytes.end()};
}

std::string sample(const std::string& key, uint32_t seed, int label) {
  return tar_member(key + ".cls", std::to_string(label)) +
         tar_member(key + ".png", png_member(seed));
}

TEST(TarShards, SamplesOfAllShardsInOrder) {
  const test::Scratch folder;
  folder.write("x-01.tar", sample("c", 3, 1) + tar_end());
  folder.write("x-00.tar", sample("a", 1, 2) + sample("b", 2, 0) + tar_end());
  folder.write("classes.txt", std::string("ant\nbee\ncat\n"));
  for (const std::string& data : {folder.string(), folder.string() + "/x-{00..01}.tar"}) {
    const auto dataset = open_dataset(data, Split::kTrain);
    ASSERT_EQ(dataset->size(), 3);
    EXPECT_EQ(dataset->name(2), folder.string() + "/x-01.tar:c");
    EXPECT_EQ(dataset->label(0), 2);
    EXPECT_EQ(dataset->classes(), (std::vector<std::string>{"ant", "bee", "cat"}));
    for (uint32_t i = 0; i < 3; ++i) {
      EXPECT_EQ(dataset->get(i, 3).pixels, test::pattern(3, 4, 3, i + 1).pixels) << i;
    }
  }
  EXPECT_EQ(open_dataset(folder.string() + "/x-01.tar", Split::kVal)->size(), 1);
}

TEST(TarShards, WithoutLabelsThereAreNoClasses) {
  const test::Scratch folder;
  const auto shard = folder.write("x.tar", tar_member("a.png", png_member(1)) + tar_end());
  const auto dataset = open_dataset(shard.string(), Split::kTrain);
  EXPECT_EQ(dataset->label(0), -1);
  EXPECT_TRUE(dataset->classes().empty());
}

TEST(TarShards, TrainAndValFoldersOfShards) {
  const test::Scratch folder;
  folder.write("train/x.tar", sample("a", 1, 0) + sample("b", 1, 0) + tar_end());
  folder.write("val/x.tar", sample("a", 1, 0) + tar_end());
  EXPECT_EQ(open_dataset(folder.string(), Split::kTrain)->size(), 2);
  EXPECT_EQ(open_dataset(folder.string(), Split::kVal)->size(), 1);
}

TEST(TarShards, ArchivesBesideUnpackedFoldersDoNotCount) {
  const test::Scratch folder;
  folder.write("train/a/one.png", png_member(1));
  folder.write("val/a/one.png", png_member(1));
  folder.write("original.tar", std::string("no matter"));
  EXPECT_EQ(open_dataset(folder.string(), Split::kTrain)->size(), 1);
  EXPECT_EQ(open_dataset(folder.string(), Split::kVal)->size(), 1);
}

TEST(TarShards, FaultySamplesAreBadImagesOthersAreNot) {
  const test::Scratch folder;
  const auto shard =
      folder.write("x.tar", sample("a", 1, 0) + tar_member("../e\x1b[31m.png", png_member(2)) +
                                tar_member("b.png", png_member(3)) + sample("c", 4, 0) + tar_end());
  const auto dataset = open_dataset(shard.string(), Split::kTrain);
  ASSERT_EQ(dataset->size(), 4);
  EXPECT_EQ(data_error([&] { dataset->get(1, 3); }),
            shard.string() + ":../e\\x1b[31m: its name leads out of the archive");
  EXPECT_EQ(dataset->get(2, 3).pixels, test::pattern(3, 4, 3, 3).pixels);
  EXPECT_EQ(data_error([&] { dataset->label(2); }),
            shard.string() + ":b: it has no .cls, but other samples have one");
  EXPECT_EQ(dataset->get(3, 3).pixels, test::pattern(3, 4, 3, 4).pixels);
}

// An unusable label is an error only if labels are requested: opening and pretraining succeed.
TEST(TarShards, UnusableLabelsAreErrorsOnlyIfRequested) {
  const test::Scratch folder;
  const auto named =
      folder.write("names.tar", tar_member("a.png", png_member(1)) + tar_member("a.cls", "cat") +
                                    tar_member("b.png", png_member(2)) +
                                    tar_member("b.cls", "dog\n") + tar_end());
  const std::shared_ptr<const Dataset> dataset = open_dataset(named.string(), Split::kTrain);
  EXPECT_TRUE(dataset->classes().empty());
  EXPECT_EQ(data_error([&] { dataset->label(1); }),
            named.string() + ":b: its .cls is not a class number: \"dog\"");
  LoaderRequest request = test::labelled(dataset, test::small_options(4), 2, 1, 1, 0);
  EXPECT_NE(data_error([&] { Loader(request).next(); }).find("not a class number"),
            std::string::npos);
  request.targets = TargetKind::kNone;
  const Batch batch = Loader(request).next();
  EXPECT_EQ(batch.batch, 2);
  EXPECT_TRUE(batch.bad.empty());
}

std::string named(const std::string& key, uint32_t seed, const std::string& label) {
  return tar_member(key + ".jpg", png_member(seed)) + tar_member(key + ".cls", label);
}

// If labels are names and few are different, the names are the classes. If some labels are numbers,
// the names are errors.
TEST(TarShards, NamesAreClassesWhereTheyAreFew) {
  const test::Scratch folder;
  const auto shard = folder.write("x.tar", named("a", 1, "dog") + named("b", 2, "cat\n") +
                                               named("c", 3, "cat") + named("d", 4, "dog") +
                                               tar_member("e.jpg", png_member(5)) + tar_end());
  const auto dataset = open_dataset(shard.string(), Split::kTrain);
  EXPECT_EQ(dataset->classes(), (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(dataset->label(0), 1);
  EXPECT_EQ(dataset->label(2), 0);
  EXPECT_EQ(dataset->remarks().bad_labels, 1);
  EXPECT_EQ(dataset->remarks().notes.at(0), "labels are names, not numbers: 2 classes (cat, dog)");
  const auto mixed = folder.write(
      "y.tar", named("a", 1, "cat") + named("b", 2, "cat") + named("c", 3, "1") + tar_end());
  const auto other = open_dataset(mixed.string(), Split::kTrain);
  EXPECT_EQ(other->classes(), (std::vector<std::string>{"0", "1"}));
  EXPECT_EQ(other->remarks().bad_labels, 2);
  EXPECT_EQ(other->remarks().first_bad_label,
            mixed.string() + ":a: its .cls is not a class number: \"cat\"");
}

TEST(TarShards, WhatIsLeftOutAndHeldOutIsRemarked) {
  const test::Scratch folder;
  folder.write("x-0.tar", sample("a", 1, 0) + tar_member("a.json", "{}") + tar_end());
  folder.write("x-val-1.tar", sample("b", 2, 0) + tar_member("b.json", "{}"));
  folder.write("x-2.tar.gz", std::string("x"));
  folder.write("info.yaml", std::string("x"));
  const auto train = open_dataset(folder.string(), Split::kTrain);
  EXPECT_EQ(train->size(), 1);
  EXPECT_EQ(as_text(train->remarks().left_out),
            "1 .json (x-0.tar:a.json), 1 .tar.gz (x-2.tar.gz), 1 .yaml (info.yaml)");
  const auto val = open_dataset(folder.string(), Split::kVal);
  ASSERT_EQ(val->remarks().notes.size(), 2u);
  EXPECT_NE(val->remarks().notes[0].find("x-val-1.tar"), std::string::npos);
  EXPECT_NE(val->remarks().notes[1].find("without an end-of-archive mark"), std::string::npos);
}

// Images with endings that are not read are counted by kind, as in folders.
TEST(TarShards, ImagesOfEndingsThatAreNotReadAreLeftOut) {
  const test::Scratch folder;
  const std::string gif = tar_member("b.gif", "GIF89a") + tar_member("b.cls", "1");
  folder.write("x.tar", sample("a", 1, 0) + gif + tar_member("c.cls", "0") +
                            tar_member("c.HEIC", "x") + tar_member("d.cls", "0") + tar_end());
  const auto dataset = open_dataset(folder.string(), Split::kTrain);
  ASSERT_EQ(dataset->size(), 2);
  EXPECT_EQ(as_text(dataset->remarks().left_out), "1 .gif (x.tar:b.gif), 1 .heic (x.tar:c.HEIC)");
  EXPECT_NE(data_error([&] { dataset->get(1, 3); }).find("x.tar:d: it has a label but no"),
            std::string::npos);
  const auto none = folder.write("none/x.tar", gif + tar_end());
  EXPECT_NE(data_error([&] { open_dataset(none.string(), Split::kTrain); }).find("found 1 .gif"),
            std::string::npos);
}

// Some files are counted in both splits. They are marked, so that a sum can count them once.
TEST(TarShards, WhatLiesBesideBothSplitsIsMarked) {
  const test::Scratch folder;
  folder.write("x-0.tar", sample("a", 1, 0) + tar_member("a.json", "{}") + tar_end());
  folder.write("x-val-0.tar", sample("b", 2, 0) + tar_end());
  folder.write("info.yaml", std::string("x"));
  const auto train = open_dataset(folder.string(), Split::kTrain);
  EXPECT_EQ(as_text(train->remarks().left_out), "1 .json (x-0.tar:a.json), 1 .yaml (info.yaml)");
  EXPECT_EQ(as_text(train->remarks().left_out_of_both_splits), "1 .yaml (info.yaml)");
  EXPECT_EQ(as_text(open_dataset(folder.string(), Split::kVal)->remarks().left_out_of_both_splits),
            "1 .yaml (info.yaml)");
}

// An archive beside many images is not read as the data set.
TEST(TarShards, AnArchiveBesideImagesDoesNotCount) {
  const test::Scratch folder;
  folder.write("backup.tar", sample("a", 1, 0) + tar_end());
  for (int i = 0; i < 8; ++i) folder.write(fmt::format("{}.png", i), png_member(1));
  EXPECT_EQ(open_dataset(folder.string(), Split::kTrain)->size(), 1)
      << "beside only a few images, the archive is the data set";
  folder.write("8.png", png_member(2));
  const auto dataset = open_dataset(folder.string(), Split::kTrain);
  EXPECT_EQ(dataset->size(), 9);
  EXPECT_EQ(as_text(dataset->remarks().left_out), "1 .tar (backup.tar)");
}

TEST(TarShards, ArchivesThatCannotBeReadInPlaceAreNamed) {
  const test::Scratch folder;
  folder.write("x.tar.gz", std::string("x"));
  auto message = data_error([&] { open_dataset(folder.string(), Split::kTrain); });
  EXPECT_NE(message.find("found 1 .tar.gz (x.tar.gz)"), std::string::npos) << message;
  EXPECT_NE(message.find("unpack others first"), std::string::npos) << message;
  const test::Scratch nested;
  nested.write("part1/x.tar", sample("a", 1, 0) + tar_end());
  message = data_error([&] { open_dataset(nested.string(), Split::kTrain); });
  EXPECT_NE(message.find("1 .tar (part1/x.tar)"), std::string::npos) << message;
  EXPECT_NE(message.find("give the folder that holds them"), std::string::npos) << message;
  const test::Scratch dotted;
  dotted.write("x.tar", tar_member("a.5x.jpg", png_member(1)) + tar_end());
  message = data_error([&] { open_dataset(dotted.string(), Split::kTrain); });
  EXPECT_NE(message.find("a further dot in their names (x.tar:a.5x.jpg)"), std::string::npos)
      << message;
}

TEST(TarShards, EveryRefusedShardIsNamed) {
  const test::Scratch folder;
  folder.write("a.tar", sample("a", 1, 0) + tar_end());
  folder.write("b.tar", sample("a", 1, 0) + "cut");
  folder.write("c.tar", std::string("short"));
  const auto message = data_error([&] { open_dataset(folder.string(), Split::kTrain); });
  EXPECT_NE(message.find("2 of 3 shards cannot be used"), std::string::npos) << message;
  EXPECT_NE(message.find("b.tar: damaged"), std::string::npos) << message;
  EXPECT_NE(message.find("c.tar: damaged"), std::string::npos) << message;
  const auto absent =
      data_error([&] { open_dataset(folder.string() + "/x-{0..1}.tar", Split::kTrain); });
  EXPECT_NE(absent.find("x-1.tar: No such file"), std::string::npos) << absent;
  const auto empty = folder.write("empty.tar", tar_end());
  EXPECT_NE(
      data_error([&] { open_dataset(empty.string(), Split::kTrain); }).find("no samples in 1"),
      std::string::npos);
}

TEST(TarShards, AShardThatChangesMeanwhileIsNoticed) {
  const test::Scratch folder;
  const auto shard = folder.write("x.tar", sample("a", 1, 0) + tar_end());
  const auto dataset = open_dataset(shard.string(), Split::kTrain);
  fs::rename(folder.write("new", sample("a", 2, 0) + tar_end()), shard);
  EXPECT_NE(data_error([&] { dataset->get(0, 3); }).find("has changed"), std::string::npos);
}

TEST(TarShards, TheSampleOfImageNet) {
  const fs::path data = test::data_folder();
  const fs::path shards = data / "shards";
  FCM_NEED_FOLDER(shards);
  const auto dataset = open_dataset(shards.string(), Split::kTrain);
  std::ifstream index(shards / "index.tsv");
  std::string line, shard, key, file;
  std::getline(index, line);
  int64_t i = 0, label = 0;
  for (; std::getline(index, line); ++i) {
    std::istringstream(line) >> shard >> key >> label >> file;
    ASSERT_EQ(dataset->label(i), label);
    EXPECT_TRUE(dataset->name(i).ends_with(shard + ".tar:" + key)) << dataset->name(i);
    if (i % 20 != 0) continue;
    const auto path = data / "imagenet-sample/train" / file.substr(0, file.find('_')) / file;
    EXPECT_EQ(dataset->get(i, 3).pixels, image::decode(test::bytes_of(path), 3).pixels) << file;
  }
  EXPECT_EQ(i, 200);
  EXPECT_EQ(dataset->size(), 200);
  const std::string pattern = (shards / "imagenet-sample-{000000..000001}.tar").string();
  EXPECT_EQ(open_dataset(pattern, Split::kVal)->size(), 200);
}

TEST(TarShards, TheSampleOfCifar) {
  const fs::path data = test::data_folder() / "cifar10";
  FCM_NEED_FOLDER(data);
  const auto train = open_dataset(data.string(), Split::kTrain);
  const auto val = open_dataset(data.string(), Split::kVal);
  EXPECT_EQ(train->size(), 5000);
  EXPECT_EQ(val->size(), 1000);
  EXPECT_EQ(train->classes().size(), 10u);
  EXPECT_EQ(train->classes()[3], "cat");
  EXPECT_EQ(train->label(0), 3);  // the sample 000000_cat_3058
  EXPECT_EQ(val->get(999, 3).rows, 32);
}

// The expected result for a damaged or hostile archive of the sample data: why the shard is refused
// or, if it is not, how many of its samples are bad.
struct Outcome {
  std::string refusal;
  int64_t samples = 0, bad = 0;
};
const std::map<std::string, Outcome> kBroken{
    {"tars/cut-mid-member.tar", {"runs past the end", 0, 0}},
    {"tars/path-traversal.tar", {"", 3, 1}},
    {"tars/absolute-path.tar", {"", 3, 1}},
    {"tars/symlink.tar", {"", 4, 2}},
    {"tars/pax-size-too-big.tar", {"runs past the end", 0, 0}},
    {"tars/pax-size-too-small.tar", {"1000 bytes by its pax record, 34309 by its header", 0, 0}},
    {"tars/pax-bad-record-length.tar", {"a pax record has a wrong length", 0, 0}},
    {"tars/pax-size-right.tar", {"", 3, 0}},
    {"tars/hostile-all.tar", {"runs past the end", 0, 0}}};

TEST(TarShards, BrokenArchivesAreRefusedOrTheirBadSamplesCounted) {
  const fs::path broken = test::data_folder() / "broken";
  FCM_NEED_FOLDER(broken);
  std::ifstream file(broken / "expected.json");
  const auto expected = nlohmann::json::parse(file).at("files");
  size_t seen = 0;
  for (const auto& [name, facts] : expected.items()) {
    if (!name.starts_with("tars/")) continue;
    SCOPED_TRACE(name);
    ++seen;
    const Outcome& outcome = kBroken.at(name);
    const std::string data = (broken / name).string();
    if (!outcome.refusal.empty()) {
      const auto message = data_error([&] { open_dataset(data, Split::kTrain); });
      EXPECT_NE(message.find(outcome.refusal), std::string::npos) << message;
      continue;
    }
    const auto dataset = open_dataset(data, Split::kTrain);
    EXPECT_EQ(dataset->size(), outcome.samples);
    int64_t bad = 0;
    for (int64_t i = 0; i < dataset->size(); ++i) {
      try {
        EXPECT_GT(dataset->get(i, 3).rows, 0);
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::kData);
        ++bad;
      }
    }
    EXPECT_EQ(bad, outcome.bad);
  }
  EXPECT_EQ(seen, kBroken.size());
  EXPECT_FALSE(fs::exists(broken / "evil.jpg"));
  EXPECT_FALSE(fs::exists("../evil.jpg"));
  EXPECT_FALSE(fs::exists("/tmp/convmae-evil.jpg"));
}

// As in webdataset, the key is the whole name including folders, so equal file names in two folders
// belong to two samples.
TEST(TarShards, SamplesInFoldersArePairedByTheirWholeName) {
  const test::Scratch folder;
  const auto shard = folder.write(
      "x.tar", sample("train/n01/1", 1, 0) + sample("train/n02/1", 2, 1) +
                   sample("v1.0/n02/1", 3, 1) + tar_member("labels/9.cls", "1") + tar_end());
  const auto dataset = open_dataset(shard.string(), Split::kTrain);
  ASSERT_EQ(dataset->size(), 4);
  EXPECT_EQ(dataset->name(1), shard.string() + ":train/n02/1");
  for (uint32_t i = 0; i < 3; ++i) {
    EXPECT_EQ(dataset->label(i), i == 0 ? 0 : 1);
    EXPECT_EQ(dataset->get(i, 3).pixels, test::pattern(3, 4, 3, i + 1).pixels) << i;
  }
  EXPECT_EQ(
      data_error([&] { dataset->get(3, 3); }),
      shard.string() +
          ":labels/9: it has a label but no image (.jpg, .png, .webp or the like) in the same "
          "folder of the shard");
  EXPECT_TRUE(dataset->remarks().warnings.empty());
  EXPECT_TRUE(dataset->remarks().notes.empty()) << "with labels, folders are not taken for classes";
}

TEST(TarShards, FoldersThatLookLikeClassesOrSplitsAreSaid) {
  const test::Scratch folder;
  const auto shard =
      folder.write("x.tar", tar_member("train/n01/1.png", png_member(1)) +
                                tar_member("train/n02/1.png", png_member(2)) + tar_end());
  const auto dataset = open_dataset(shard.string(), Split::kTrain);
  EXPECT_TRUE(dataset->classes().empty());
  const std::string what =
      "folders inside the shards are not read as classes (train/n01, train/n02)";
  EXPECT_EQ(
      dataset->remarks().notes,
      std::vector<std::string>{what + ": write a KEY.cls beside each image, or unpack the shards"});
  EXPECT_EQ(dataset->remarks().no_labels, "no sample has a KEY.cls with its class; " + what);
  const auto both =
      folder.write("y.tar", sample("Train/a/1", 1, 0) + sample("valid/a/1", 2, 0) + tar_end());
  EXPECT_EQ(open_dataset(both.string(), Split::kTrain)->remarks().warnings.at(0),
            "images for training and for validation are mixed, by the names of the folders inside "
            "the shards (Train/a, valid/a): write them to shards of their own");
}

TEST(TarShards, AShardThatIsReadTwiceIsSaid) {
  const test::Scratch folder;
  folder.write("x-0.tar", sample("a", 1, 0) + tar_end());
  std::filesystem::create_symlink("x-0.tar", folder / "x-1.tar");
  EXPECT_EQ(open_dataset(folder.string(), Split::kTrain)->remarks().warnings.at(0),
            "1 of 2 shards is the same file as another one, whose samples are read twice (x-0.tar "
            "and x-1.tar)");
}

// In printed names, control characters (among them those of the writing direction) and bytes that
// are not UTF-8 are escaped.
TEST(TarShards, NamesAreSafeToPrint) {
  const test::Scratch folder;
  const auto shard =
      folder.write("x.tar", tar_member("a\u202egnp.png", png_member(1)) +
                                tar_member("b\xe9\x1b.png", "x") + tar_member("c\u202e.bin", "x") +
                                tar_member("d\xff.bin", "x") + tar_member("e.png", png_member(2)) +
                                tar_member("e.cls", "K\u00e4fer\u202e\xff") + tar_end());
  const auto dataset = open_dataset(shard.string(), Split::kTrain);
  EXPECT_EQ(dataset->name(0), shard.string() + ":a\\u202egnp");
  EXPECT_EQ(dataset->name(1), shard.string() + ":b\\xe9\\x1b");
  EXPECT_EQ(as_text(dataset->remarks().left_out), "2 .bin (x.tar:c\\u202e.bin)");
  EXPECT_NE(data_error([&] {
              dataset->label(2);
            }).find("is not a class number: \"K\u00e4fer\\u202e\\xff\""),
            std::string::npos);
}

}  // namespace
}  // namespace fcm::loader
