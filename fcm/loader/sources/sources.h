// The kinds of data behind open_dataset. Each function throws Error(kData) that says what was
// looked for, where, and what was found instead.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "fcm/loader/dataset.h"

namespace fcm::loader {

// folder/train/<class>/**, folder/val/<class>/**; without train and val: folder/<class>/** for both
// splits; pictures directly in the folder have no labels.
std::unique_ptr<Dataset> open_image_folder(const std::filesystem::path& folder, Split split,
                                           const OpenOptions& options);

// A picture's path a line, relative to the list's folder or absolute, and its class number behind a
// space or tab: on every line or on none; or columns under a heading (list_columns.h). Empty lines
// and lines that begin with # do not count.
std::unique_ptr<Dataset> open_file_list(const std::filesystem::path& list);

// Shards in webdataset's layout (tar_samples.h), read where they lie: nothing is unpacked. A
// damaged shard is refused here; a sample that must not or cannot be used is a picture that cannot
// be read, or has a label that cannot. `remarks`: of how the shards were found.
std::unique_ptr<Dataset> open_tar_shards(std::vector<std::filesystem::path> shards,
                                         const OpenOptions& options, Remarks remarks = {});

// Whether there is something in the folder that is named for the split, readable or not: a folder,
// shards, or files of CIFAR or IDX. What is wrong with it is then a fault, and no absence.
bool has_split(const std::filesystem::path& data, Split split);

// What PackedWriter wrote, told by its first bytes. A cut or altered index is refused here; a
// picture whose bytes do not fit their checksum is one that cannot be read.
bool is_packed_file(const std::filesystem::path& file);
std::unique_ptr<Dataset> open_packed_file(const std::filesystem::path& file, Split split);

// One file of records, or a folder with data_batch_*.bin and test_batch.bin (CIFAR-10) or train.bin
// and test.bin (CIFAR-100).
bool holds_cifar(const std::filesystem::path& folder);
bool holds_cifar(const std::filesystem::path& folder, Split split);
std::unique_ptr<Dataset> open_cifar_folder(const std::filesystem::path& folder, Split split);
std::unique_ptr<Dataset> open_cifar_file(const std::filesystem::path& file);

// A folder with train-images-idx3-ubyte, train-labels-idx1-ubyte and the t10k- pair, each also with
// .gz; or one images file, whose labels lie beside it. `classes` may be empty: then the labels name
// themselves. Labels that are missing or damaged are noted: the set has none.
bool holds_idx(const std::filesystem::path& folder);
bool holds_idx(const std::filesystem::path& folder, Split split);
// Whether such a file begins as one, packed or not.
bool begins_as_idx(const std::filesystem::path& folder);
std::unique_ptr<Dataset> open_idx_folder(const std::filesystem::path& folder, Split split,
                                         std::vector<std::string> classes);
std::unique_ptr<Dataset> open_idx_file(const std::filesystem::path& images,
                                       std::vector<std::string> classes);

// Drawn pictures that have what is wanted. Labels, and where nothing is wanted: shapes and gratings
// of 10 classes, 2048 for training and 512 for validation. Maps or instances: as below.
std::unique_ptr<Dataset> make_synthetic(Split split, TargetKind wanted);
std::string synthetic_name(Split split, int64_t index);

// Scenes of 128 x 160 pixels with several shapes each, and their maps: 256 for training and 64 for
// validation. Map values are 1 (background) to 6 (the shapes), as where 0 is unlabelled.
std::unique_ptr<Dataset> make_synthetic_scenes(Split split);

// Pictures of 128 x 160 or 160 x 128 pixels with one to six shapes of four classes, which are their
// objects: 256 for training and 64 for validation. Outlines are those of whole shapes, also where
// others cover a part.
std::unique_ptr<Dataset> make_synthetic_instances(Split split);

// Small sets held in memory: all pictures of one size.
struct RawPictures {
  std::string origin;  // names the pictures: "<origin> record <index>"
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t channels = 0;         // 1 or 3
  std::vector<uint8_t> pixels;  // pictures x rows x cols x channels
  std::vector<uint8_t> labels;  // one a picture; a picture of a class that is not there has none
  std::vector<std::string> classes;
  std::string label_fault;  // why there are no labels; empty: there are
  Remarks remarks;
};
std::unique_ptr<Dataset> hold_in_memory(RawPictures pictures);

}  // namespace fcm::loader
