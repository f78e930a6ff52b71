#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/formats/pickle_writer.h"
#include "fcm/formats/pth.h"
#include "fcm/formats/zip_writer.h"

namespace fcm::formats {
namespace {

constexpr const char* kFailpoints = "checkpoint";

}  // namespace

void write_pth(const std::filesystem::path& path, const Value& root,
               std::span<const TensorView> tensors) {
  const PickledObject object = to_pickle(root, tensors, path.string());
  // Writes a temporary file first, so that an existing file is replaced as a whole or not at all.
  const std::filesystem::path temporary = path.string() + ".tmp";
  FileWriter file(temporary, ExitCode::kCheckpoint, kFailpoints);
  ZipWriter archive(file);
  archive.add("data.pkl", object.pickle);
  archive.add("byteorder", "little");
  for (size_t i = 0; i < object.storages.size(); ++i) {
    archive.add("data/" + std::to_string(i), object.storages[i]);
  }
  archive.add("version", "3\n");
  archive.finish();
  file.finish();
  move_into_place(temporary, path, ExitCode::kCheckpoint, kFailpoints);
  sync_folder(std::filesystem::absolute(path).parent_path(), ExitCode::kCheckpoint, kFailpoints);
}

}  // namespace fcm::formats
