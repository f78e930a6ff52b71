// The kinds of data that open_dataset chooses from. Each function throws Error(kData) that says
// what was looked for, where, and what was found instead.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "fcm/loader/dataset.h"

namespace fcm::loader {

// Images in folder/train/<class>/** and folder/val/<class>/**. Without train and val, the images in
// folder/<class>/** serve as both splits. Images directly in the folder have no labels.
std::unique_ptr<Dataset> open_image_folder(const std::filesystem::path& folder, Split split,
                                           const OpenOptions& options);

// A text file with one image per line: its path, absolute or relative to the list's folder, and
// optionally a space or tab and the class number or name; or columns under a heading
// (list_columns.h). Empty lines and lines that begin with # are ignored.
std::unique_ptr<Dataset> open_file_list(const std::filesystem::path& list);

// Shards in webdataset's layout (tar_samples.h), read in place: nothing is unpacked. Throws for a
// damaged shard. A faulty sample is an unreadable image or has an unusable label. `remarks`: what
// shards_in remarked.
std::unique_ptr<Dataset> open_tar_shards(std::vector<std::filesystem::path> shards,
                                         const OpenOptions& options, Remarks remarks = {});

// Whether the folder has data that are named for the split: a folder, COCO annotations, images with
// class maps, shards, CIFAR or IDX files.
// The data may be unreadable; opening the split then reports the fault.
bool has_split(const std::filesystem::path& data, Split split);

// A file written by PackedWriter, recognised by its first bytes. open_packed_file throws for a
// truncated file or an altered index. An image with a wrong checksum is unreadable.
bool is_packed_file(const std::filesystem::path& file);
std::unique_ptr<Dataset> open_packed_file(const std::filesystem::path& file, Split split);

// CIFAR binary: one file of records, or a folder with data_batch_*.bin and test_batch.bin
// (CIFAR-10) or train.bin and test.bin (CIFAR-100).
bool holds_cifar(const std::filesystem::path& folder);
bool holds_cifar(const std::filesystem::path& folder, Split split);
std::unique_ptr<Dataset> open_cifar_folder(const std::filesystem::path& folder, Split split);
std::unique_ptr<Dataset> open_cifar_file(const std::filesystem::path& file);

// IDX: a folder with train-images-idx3-ubyte, train-labels-idx1-ubyte and the t10k- pair, each
// plain or with .gz appended; or one file of images with its labels beside it. If `classes` is
// empty, the classes are named by their numbers. If labels are missing or damaged, the set has no
// labels, and a note says why.
bool holds_idx(const std::filesystem::path& folder);
bool holds_idx(const std::filesystem::path& folder, Split split);
// Whether such a file begins with the magic number of IDX images or, if it ends in .gz, of gzip.
bool begins_as_idx(const std::filesystem::path& folder);
std::unique_ptr<Dataset> open_idx_folder(const std::filesystem::path& folder, Split split,
                                         std::vector<std::string> classes);
std::unique_ptr<Dataset> open_idx_file(const std::filesystem::path& images,
                                       std::vector<std::string> classes);

// Drawn images with the wanted kind of target. kLabel and kNone: shapes and gratings of 10 classes,
// 2048 images for training and 512 for validation. kMap: make_synthetic_scenes. kInstances:
// make_synthetic_instances.
std::unique_ptr<Dataset> make_synthetic(Split split, TargetKind wanted);
std::string synthetic_name(Split split, int64_t index);

// Scenes of 128 x 160 pixels with several shapes each, and their maps: 256 for training and 64 for
// validation. Map values are 1 (background) and 2 to 6 (the shapes), for
// pipeline.reduce_zero_label.
std::unique_ptr<Dataset> make_synthetic_scenes(Split split);

// Images of 128 x 160 or 160 x 128 pixels whose objects are one to six shapes of four classes: 256
// for training and 64 for validation. A polygon surrounds the whole shape, even if another shape
// covers a part of it.
std::unique_ptr<Dataset> make_synthetic_instances(Split split);

// A small set held in memory; all images have one size.
struct RawImages {
  std::string origin;  // names the images: "<origin> record <index>"
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t channels = 0;         // 1 or 3
  std::vector<uint8_t> pixels;  // images x rows x cols x channels
  std::vector<uint8_t> labels;  // one per image; a value without a class is a faulty label
  std::vector<std::string> classes;
  std::string label_fault;  // why there are no labels; empty: there are labels
  Remarks remarks;
};
std::unique_ptr<Dataset> hold_in_memory(RawImages images);

}  // namespace fcm::loader
