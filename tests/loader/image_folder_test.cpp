#include <sys/stat.h>

#include "fcm/loader/dataset.h"
#include "tests/loader/support.h"

namespace fcm::loader {
namespace {

namespace fs = std::filesystem;
using test::data_error;
using Names = std::vector<std::string>;

std::vector<uint8_t> png(uint32_t seed) { return image::encode_png(test::pattern(3, 4, 3, seed)); }

Names files_of(const Dataset& dataset, const fs::path& root) {
  Names names;
  for (int64_t i = 0; i < dataset.size(); ++i) {
    names.push_back(fs::path(dataset.name(i)).lexically_relative(root).string());
  }
  return names;
}

TEST(ImageFolder, ClassesAndFilesAreSorted) {
  const test::Scratch folder;
  folder.write("train/zebra/b.png", png(1));
  folder.write("train/zebra/A.PNG", png(2));
  folder.write("train/ant/x.JPEG", png(3));  // the content decides, not the name
  folder.write("train/ant/deep/er/y.Jpg", png(4));
  folder.write("val/ant/v.png", png(5));
  const auto train = open_dataset(folder.string(), Split::kTrain);
  EXPECT_EQ(train->classes(), (Names{"ant", "zebra"}));
  EXPECT_EQ(files_of(*train, folder.path() / "train"),
            (Names{"ant/deep/er/y.Jpg", "ant/x.JPEG", "zebra/A.PNG", "zebra/b.png"}));
  EXPECT_EQ(train->label(0), 0);
  EXPECT_EQ(train->label(3), 1);
  EXPECT_EQ(train->get(3, 3).pixels, test::pattern(3, 4, 3, 1).pixels);
  EXPECT_EQ(train->get(3, 1).channels, 1);
  EXPECT_EQ(open_dataset(folder.string(), Split::kVal)->size(), 1);
}

TEST(ImageFolder, OnlyImagesAreListed) {
  const test::Scratch folder;
  folder.write("a/one.png", png(1));
  folder.write("a/.hidden.png", png(1));
  folder.write("a/.hidden/two.png", png(1));
  folder.write("a/notes.txt", std::string("text"));
  folder.write(".git/three.png", png(1));
  folder.write("loose.png", png(1));  // ignored: outside the class folders
  fs::create_directories(folder.path() / "empty");
  fs::create_directories(folder.path() / "a/folder.png");
  fs::create_symlink(folder.path(), folder.path() / "a/loop");
  fs::create_symlink(folder.path() / "absent", folder.path() / "a/dangling.png");
  fs::create_symlink("/dev/zero", folder.path() / "a/device.png");
  ASSERT_EQ(mkfifo((folder.path() / "a/pipe.png").c_str(), 0600), 0);
  const auto dataset = open_dataset(folder.string(), Split::kTrain);
  // A link to a missing file is an image that cannot be read.
  EXPECT_EQ(files_of(*dataset, folder.path()), (Names{"a/dangling.png", "a/one.png"}));
  EXPECT_EQ(dataset->classes(), (Names{"a"}));
  const auto message = data_error([&] { dataset->get(0, 3); });
  EXPECT_NE(message.find("No such file or directory (it is a link to "), std::string::npos)
      << message;
  EXPECT_EQ(as_text(dataset->remarks().left_out),
            "3 hidden (.git), 2 devices, pipes or sockets (a/device.png), 1 .txt (a/notes.txt), "
            "1 folders without readable images (empty), "
            "1 images beside the class folders (loose.png), "
            "1 links back to a folder that contains them (a/loop)");
}

// Endings that cameras, browsers and scanners write are read. Files with other endings are counted.
TEST(ImageFolder, EndingsThatAreReadAndEndingsThatAreCounted) {
  const test::Scratch folder;
  for (const char* ending : {"jpg", "JPEG", "jpe", "jfif", "Png", "webp", "bmp", "tif", "TIFF"}) {
    folder.write(fmt::format("a/1.{}", ending), png(1));
  }
  folder.write("a/x.gif", std::string("x"));
  folder.write("a/y.GIF", std::string("x"));
  folder.write("a/noending", std::string("x"));
  folder.write("b/x.heic", std::string("x"));
  const auto dataset = open_dataset(folder.string(), Split::kTrain);
  EXPECT_EQ(dataset->size(), 9);
  EXPECT_EQ(dataset->classes(), Names{"a"});
  EXPECT_EQ(as_text(dataset->remarks().left_out),
            "2 .gif (a/x.gif), 1 .heic (b/x.heic), "
            "1 folders without readable images (b), 1 without extension (a/noending)");
}

TEST(ImageFolder, WhatSystemsPutAmongImagesIsNoClass) {
  const test::Scratch folder;
  folder.write("a/1.png", png(1));
  folder.write("a/._1.png", std::string("x"));
  folder.write("a/@eaDir/1.png/thumb.jpg", png(1));
  folder.write("@eaDir/x.jpg/thumb.jpg", png(1));
  folder.write("__MACOSX/a/1.png", png(1));
  folder.write("$RECYCLE.BIN/$R1.jpg", png(1));
  folder.write("lost+found/1.png", png(1));
  const auto dataset = open_dataset(folder.string(), Split::kTrain);
  EXPECT_EQ(files_of(*dataset, folder.path()), Names{"a/1.png"});
  EXPECT_EQ(as_text(dataset->remarks().left_out),
            "5 system folders ($RECYCLE.BIN), 1 AppleDouble files of macOS (a/._1.png)");
}

// Links are followed, as in torchvision and timm, except to a folder that contains the link.
TEST(ImageFolder, LinksAreFollowedButNotInCircles) {
  const test::Scratch folder, elsewhere;
  elsewhere.write("batch/1.png", png(1));
  elsewhere.write("batch/deep/2.png", png(2));
  folder.write("set/a/own.png", png(3));
  fs::create_symlink(elsewhere.path() / "batch", folder.path() / "set/a/batch");
  fs::create_symlink(elsewhere.path() / "batch", folder.path() / "set/a/again");
  fs::create_symlink("..", folder.path() / "set/a/up");
  fs::create_symlink("../..", folder.path() / "set/a/further_up");
  fs::create_symlink("/", folder.path() / "set/a/top");
  fs::create_symlink(elsewhere.path(), elsewhere.path() / "batch/deep/back");
  fs::create_symlink("absent", folder.path() / "set/a/folder_that_was");
  const auto dataset = open_dataset((folder / "set").string(), Split::kTrain);
  EXPECT_EQ(files_of(*dataset, folder.path() / "set"),
            (Names{"a/again/1.png", "a/again/deep/2.png", "a/batch/1.png", "a/batch/deep/2.png",
                   "a/own.png"}));
  EXPECT_EQ(as_text(dataset->remarks().left_out),
            "5 links back to a folder that contains them (a/again/deep/back/batch), "
            "1 dangling links (a/folder_that_was)");
}

TEST(ImageFolder, SplitsByTheirUsualNamesInAnyCase) {
  for (const auto& [train, val] :
       std::vector<std::pair<std::string, std::string>>{{"Train", "Val"},
                                                        {"training", "validation"},
                                                        {"train", "valid"},
                                                        {"TRAIN", "test"},
                                                        {"train", "val"}}) {
    const test::Scratch folder;
    folder.write(train + "/a/1.png", png(1));
    folder.write(train + "/a/2.png", png(2));
    folder.write(val + "/a/3.png", png(3));
    const auto opened = open_dataset(folder.string(), Split::kTrain);
    EXPECT_EQ(opened->size(), 2) << train;
    EXPECT_EQ(opened->classes(), Names{"a"});
    EXPECT_EQ(open_dataset(folder.string(), Split::kVal)->size(), 1) << val;
    const bool plain = train == "train" && val == "val";
    EXPECT_EQ(opened->remarks().notes.empty(), plain);
    if (!plain) {
      EXPECT_EQ(opened->remarks().notes[0],
                "the splits are " + train + "/ for training and " + val + "/ for validation");
    }
  }
}

TEST(ImageFolder, OfSeveralFoldersForASplitTheUsualOneIsTaken) {
  const test::Scratch folder;
  for (const char* name : {"Train", "train", "val", "test", "extra"}) {
    folder.write(std::string(name) + "/a/" + name + ".png", png(1));
  }
  folder.write("readme.md", std::string("x"));
  const auto val = open_dataset(folder.string(), Split::kVal);
  EXPECT_EQ(files_of(*val, folder.path()), Names{"val/a/val.png"});
  EXPECT_EQ(files_of(*open_dataset(folder.string(), Split::kTrain), folder.path()),
            Names{"train/a/train.png"});
  EXPECT_EQ(as_text(val->remarks().left_out),
            "3 folders beside the splits (Train), 1 .md (readme.md)");
}

// The kind of file that is most frequent decides the kind of a folder.
TEST(ImageFolder, AStrayArchiveOrRecordFileIsNoSetOfItsOwn) {
  const test::Scratch folder;
  folder.write("a/1.png", png(1));
  folder.write("b/1.png", png(1));
  folder.write("backup.tar", std::string("x"));
  folder.write("train.bin", std::string("x"));
  const auto dataset = open_dataset(folder.string(), Split::kTrain);
  EXPECT_EQ(dataset->classes(), (Names{"a", "b"}));
  EXPECT_EQ(as_text(dataset->remarks().left_out), "1 .bin (train.bin), 1 .tar (backup.tar)");
}

TEST(ImageFolder, WhyThereAreNoLabelsIsRemarked) {
  const test::Scratch folder;
  folder.write("train/a/1.png", png(1));
  folder.write("val/1.png", png(1));
  folder.write("val/2.png", png(1));
  EXPECT_EQ(open_dataset(folder.string(), Split::kVal)->remarks().no_labels,
            folder.string() +
                "/val has 2 images and no class folders; sort them into one folder per class");
}

TEST(ImageFolder, LinksToImagesAndToClassFoldersCount) {
  const test::Scratch folder, elsewhere;
  const fs::path image = elsewhere / "p.png";
  image::write_png(image, test::pattern(3, 4, 3, 9));
  fs::create_directories(folder.path() / "b");
  fs::create_symlink(image, folder.path() / "b/link.png");
  fs::create_symlink(elsewhere.path(), folder.path() / "a");
  const auto dataset = open_dataset(folder.string(), Split::kTrain);
  EXPECT_EQ(files_of(*dataset, folder.path()), (Names{"a/p.png", "b/link.png"}));
  EXPECT_EQ(dataset->get(1, 3).pixels, test::pattern(3, 4, 3, 9).pixels);
}

TEST(ImageFolder, ImagesWithoutClassFoldersHaveNoLabels) {
  const test::Scratch folder;
  folder.write("b.png", png(1));
  folder.write("a.png", png(2));
  const auto dataset = open_dataset(folder.string(), Split::kTrain);
  EXPECT_EQ(files_of(*dataset, folder.path()), (Names{"a.png", "b.png"}));
  EXPECT_EQ(dataset->label(0), -1);
  EXPECT_TRUE(dataset->classes().empty());
}

TEST(ImageFolder, WithoutSplitsBothAreTheWhole) {
  const test::Scratch folder;
  folder.write("a/one.png", png(1));
  EXPECT_EQ(open_dataset(folder.string(), Split::kTrain)->size(), 1);
  EXPECT_EQ(open_dataset(folder.string(), Split::kVal)->size(), 1);
}

TEST(ImageFolder, WhatIsMissingIsNamed) {
  const test::Scratch folder;
  auto message = data_error([&] { open_dataset(folder.string(), Split::kTrain); });
  EXPECT_NE(message.find("no images in " + folder.string()), std::string::npos) << message;
  folder.write("pics/x.gif", std::string("x"));
  message = data_error([&] { open_dataset(folder.string(), Split::kTrain); });
  EXPECT_NE(message.find("found 1 .gif (pics/x.gif)"), std::string::npos) << message;
  folder.write("train/a/one.png", png(1));
  message = data_error([&] { open_dataset(folder.string(), Split::kVal); });
  EXPECT_NE(message.find("has no folder val"), std::string::npos) << message;
  EXPECT_NE(message.find("only train, pics"), std::string::npos) << message;
}

TEST(ImageFolder, ErrorsNameTheImage) {
  const test::Scratch folder;
  folder.write("a/one.png", std::string("no picture"));
  const auto two = folder.write("a/two.png", png(1));
  const auto dataset = open_dataset(folder.string(), Split::kTrain);
  auto message = data_error([&] { dataset->get(0, 3); });
  EXPECT_NE(message.find("a/one.png: not a JPEG, PNG"), std::string::npos) << message;
  EXPECT_NE(message.find("text that begins \"no picture\""), std::string::npos) << message;
  fs::remove(two);
  message = data_error([&] { dataset->get(1, 3); });
  EXPECT_NE(message.find("a/two.png"), std::string::npos) << message;
}

TEST(ImageFolder, TheSampleOfImageNet) {
  const fs::path sample = test::data_folder() / "imagenet-sample";
  FCM_NEED_FOLDER(sample);
  const auto train = open_dataset(sample.string(), Split::kTrain);
  EXPECT_EQ(train->size(), 400);
  EXPECT_EQ(train->classes().size(), 400u);
  EXPECT_EQ(train->classes().front(), "n01440764");
  EXPECT_EQ(open_dataset(sample.string(), Split::kVal)->size(), 100);
}

TEST(OpenDataset, ArchivesAreCalledByNameWithWhatToDo) {
  const test::Scratch folder;
  const std::string tar = std::string(257, 'x') + "ustar" + std::string(250, '\0');
  for (const auto& [name, begin, reason] :
       std::vector<std::tuple<std::string, std::string, std::string>>{
           {"z.zip", "PK\3\4",
            "a zip archive; unpack it (unzip ...) and pass the folder as --data"},
           {"z", "PK\3\4", "a zip archive; unpack it"},
           {"z.7z", "7z\xBC\xAF\x27\x1C", "a 7-Zip archive; unpack it (7z x ...)"},
           {"z.rar", "Rar!\x1a", "a RAR archive; unpack it (unar ...)"},
           {"z.tar.gz", "\x1f\x8b\x08", "(gzip): unpack it first; tar xf unpacks it into folders"},
           {"z.tgz", "\x1f\x8b\x08", "gunzip (or bunzip2, unxz, unzstd) into a *.tar"},
           {"list.txt.gz", "\x1f\x8b\x08", "(gzip): unpack it first; only tar archives of images"},
           {"z.dat", tar, "a tar archive; rename it to *.tar"}}) {
    const std::string data = folder.write(name, begin).string();
    const auto message = data_error([&] { open_dataset(data, Split::kTrain); });
    EXPECT_NE(message.find(reason), std::string::npos) << name << ": " << message;
    EXPECT_NE(message.find("(*.tar, webdataset's layout) are read in place"), std::string::npos)
        << message;
  }
  const test::Scratch only;
  only.write("a.zip", std::string("PK\3\4"));
  EXPECT_NE(data_error([&] {
              open_dataset(only.string(), Split::kTrain);
            }).find("unpack others first (unzip x.zip)"),
            std::string::npos);
}

TEST(OpenDataset, WhatCannotBeOpenedSaysWhy) {
  const test::Scratch folder;
  const std::vector<std::pair<std::string, std::string>> cases{
      {"", "empty"},
      {folder.string() + "/absent", "does not exist"},
      {folder.write("list.txt", std::string("# x")).string(), "lists no images"},
      {folder.write("one.tar", std::string("x")).string(), "damaged or hostile tar"},
      {folder.string() + "/x-{000000..000001}.tar", "No such file"},
      {folder.string() + "/x-{0}.tar", "expected an ascending range"},
      {folder.string(), "damaged or hostile tar"},  // the folder contains a tar file
      {folder.write("x.zip", std::string("PK\3\4")).string(),
       "not a supported kind of file but a zip archive"},
      {folder.write("list", std::string("a.png 1\n")).string(), "text that begins \"a.png 1\""},
      {folder.write("y.tar.gz", std::string("\x1f\x8b\x08")).string(), "unpack it first"},
      {"/dev/null", "neither a folder nor a regular file"}};
  for (const auto& [data, reason] : cases) {
    const auto message = data_error([&] { open_dataset(data, Split::kTrain); });
    EXPECT_NE(message.find(reason), std::string::npos) << data << ": " << message;
  }
}

TEST(ImageFolder, ClassesWhoseNamesAreAlikeAreSaid) {
  const test::Scratch folder;
  const auto dot = image::encode_png(test::pattern(3, 4, 3, 1));
  for (const char* name : {"cat/1.png", "Cat/1.png", "dog/1.png", "dog /1.png"}) {
    folder.write(name, dot);
  }
  const auto dataset = open_dataset(folder.string(), Split::kTrain);
  EXPECT_EQ(dataset->classes().size(), 4u);
  EXPECT_EQ(dataset->remarks().warnings.at(0),
            folder.string() +
                " has classes whose names differ only in letter case or blanks: \"Cat\" and "
                "\"cat\", \"dog\" and \"dog \"; they are separate classes");
}

}  // namespace
}  // namespace fcm::loader
