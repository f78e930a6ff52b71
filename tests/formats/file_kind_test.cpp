// Tests that files are recognised by their content: errors name the kind of a file that someone
// mistook for weights.
#include "fcm/formats/file_kind.h"

#include <fstream>

#include "fcm/formats/pth.h"
#include "fcm/formats/safetensors.h"
#include "tests/formats/pth_support.h"

namespace fcm::formats {
namespace {

using namespace std::string_literals;

struct Other {
  std::string name, content, said;
};

std::vector<Other> other_files() {
  return {
      {"lfs", "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 343253251\n",
       "git lfs pull"},
      {"annex", "/annex/objects/MD5E-s5--abc.pth\n", "git annex get"},
      {"html", "<!DOCTYPE html>\n<html></html>", "a web page: the download failed"},
      {"html behind blanks", "\xef\xbb\xbf\r\n  <HTML><head>", "a web page"},
      {"xml", "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>", "XML"},
      {"json", "{\"error\": \"Repository not found\"}", "JSON: "},
      {"index", "{\"metadata\": {}, \"weight_map\": {}}", "an index of several weight files"},
      {"text", "Entry not found", "text that begins \"Entry not found\""},
      {"letters beyond ASCII", "Zugriff verweigert für Gäste", "text that begins"},
      {"gzip", "\x1f\x8b\x08"s + std::string(20, '\0'), "a compressed file (gzip): unpack it"},
      {"xz", "\xfd"s + "7zXZ\0"s + std::string(20, '\0'), "a compressed file (xz)"},
      {"zstd", "\x28\xb5\x2f\xfd"s + std::string(20, '\1'), "a compressed file (zstd)"},
      {"tar", std::string(257, 'a') + "ustar\0"s + std::string(300, '\0'), "a tar archive"},
      {"numpy", "\x93NUMPY\1\0"s + std::string(20, ' '), "a numpy array"},
      {"hdf5", "\x89HDF\r\n\x1a\n"s + std::string(20, '\0'), "an HDF5 file (Keras"},
      {"gguf", "GGUF\3\0\0\0"s + std::string(20, '\0'), "a GGUF file"},
      {"tflite", "\x1c\0\0\0TFL3"s + std::string(20, '\0'), "TensorFlow Lite"},
      {"onnx", "\x08\x08\x12\x07pytorch\x1a\x05"s + "2.1.0:\xff\1"s, "ONNX"},
      {"flax", "\x81\xa6params\x82\xa7"s + "encoder\x80"s, "a msgpack file"},
      {"bare pickle", "\x80\x04\x95\x10\0\0\0\0\0\0\0}\x94."s, "a pickle without PyTorch's"},
      {"zeros", std::string(5000, '\0'), "nothing but zero bytes"},
      {"picture", "\xff\xd8\xff\xe0"s + std::string(20, '\0'), "a JPEG"},
      {"elf", "\x7f"s + "ELF\2\1\1"s + std::string(20, '\0'), "a program"},
      {"empty", "", "an empty file: the download"},
  };
}

std::span<const std::byte> bytes_in(const std::string& text) {
  return std::as_bytes(std::span(text));
}

TEST(FileKind, BothReadersSayWhatAFileIsInstead) {
  for (const Other& other : other_files()) {
    EXPECT_NE(describe_other_format(bytes_in(other.content), other.content.size()).find(other.said),
              std::string::npos)
        << other.name << ": "
        << describe_other_format(bytes_in(other.content), other.content.size());
    EXPECT_EQ(weights_kind(bytes_in(other.content)), WeightsKind::kOther) << other.name;
    const std::string pth = error_of([&] { parse_pth(bytes_in(other.content), "file.pth"); });
    EXPECT_NE(pth.find(other.said), std::string::npos) << other.name << ": " << pth;
    const std::string safetensors =
        error_of([&] { parse_safetensors(bytes_in(other.content), "file.safetensors"); });
    const bool small_number =
        other.name == "tflite" || other.name == "zeros";  // they begin like a small header length
    if (!small_number) {
      EXPECT_NE(safetensors.find(other.said), std::string::npos) << other.name << safetensors;
    }
    EXPECT_NE(safetensors, "") << other.name;
    for (const std::string& message : {pth, safetensors}) {
      EXPECT_EQ(message.find('\n'), std::string::npos) << message;
      EXPECT_LT(message.size(), 400U) << message;
    }
  }
}

TEST(FileKind, OfWhatIsNotKnownNothingIsSaid) {
  const std::string noise = "\x03\x91\xfe\x00\x12\xaa\xbb\xcc\xdd\xee"s;
  EXPECT_EQ(describe_other_format(bytes_in(noise), noise.size()), "");
}

TEST(FileKind, WeightsAreKnownByTheirContent) {
  const std::string pth = pth_of("N");
  EXPECT_EQ(weights_kind(bytes_in(pth)), WeightsKind::kTorch);
  const std::string header = "{}";
  const std::string safetensors = le(uint64_t{header.size()}) + header;
  EXPECT_EQ(weights_kind(bytes_in(safetensors)), WeightsKind::kSafetensors);
  // The reader of one format names the other format.
  EXPECT_NE(error_of([&] { parse_pth(bytes_in(safetensors), "x"); }).find("a safetensors file"),
            std::string::npos);
  EXPECT_NE(error_of([&] { parse_safetensors(bytes_in(pth), "x"); }).find("a zip archive"),
            std::string::npos);
}

TEST(FileKind, OtherZipArchivesAreNamed) {
  const auto reason = [](const std::string& member) {
    return reason_of(archive_of({{member, "x"}}));
  };
  EXPECT_NE(reason("arr_0.npy").find("an archive of numpy arrays"), std::string::npos);
  EXPECT_NE(reason("model.weights.h5").find("a Keras model"), std::string::npos);
  EXPECT_NE(reason("a/weights.pth").find("an archive that contains a .pth file"),
            std::string::npos);
  EXPECT_NE(reason("a/readme.md").find("PyTorch did not write"), std::string::npos);
}

class FileKindOfFiles : public TemporaryFolderTest {};

TEST_F(FileKindOfFiles, TheBeginningIsReadAndNoMore) {
  std::ofstream(folder_ / "long") << std::string(3 * kBeginningBytes, 'a');
  std::ofstream(folder_ / "short") << "abc";
  EXPECT_EQ(beginning_of(folder_ / "long").size(), kBeginningBytes);
  EXPECT_EQ(beginning_of(folder_ / "short"), "abc");
  const std::string error = error_of([&] { read_safetensors(folder_ / "long"); });
  EXPECT_NE(error.find("text that begins \"aaa"), std::string::npos) << error;
}

}  // namespace
}  // namespace fcm::formats
