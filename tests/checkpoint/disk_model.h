// A model of a disk that loses unsynced data. It replays a trace of system calls and yields a
// possible content of the disk after a power failure: the synced data, and any part of the unsynced
// data.
//
// A folder has the entries of its last sync or those after any later call, independently of other
// folders. A file that changed after its last sync has its synced bytes or any prefix of its
// current bytes.
#pragma once

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fcm/base/failpoint.h"
#include "fcm/base/random.h"

namespace fcm::checkpoint {

struct TracedCall {
  std::string call, path, target, bytes;
};

class DiskModel {
 public:
  explicit DiskModel(std::filesystem::path root) : root_(std::move(root)) {}

  void apply(const TracedCall& call) {
    if (call.call == "mkdir") {
      change(call.path)[name(call.path)] = std::make_shared<Node>(Node{.is_folder = true});
    } else if (call.call == "open") {
      if (call.path == root_) return;
      if (const auto& seen = find(folder_of(call.path))->history.back(); is_folder(seen, call))
        return;
      auto& entry = change(call.path)[name(call.path)];
      if (!entry) entry = std::make_shared<Node>();
      entry->bytes.clear();
    } else if (call.call == "write") {
      find(call.path)->bytes += call.bytes;
    } else if (call.call == "fsync") {
      Node& node = *find(call.path);
      node.synced_bytes = node.bytes;
      node.history = {node.history.back()};
    } else if (call.call == "rename" || call.call == "exchange") {
      Entries& entries = change(call.path);
      auto moved = std::exchange(entries[name(call.path)], nullptr);
      if (call.call == "exchange") entries[name(call.path)] = entries[name(call.target)];
      entries[name(call.target)] = std::move(moved);
    } else if (call.call == "unlink" || call.call == "rmdir") {
      change(call.path)[name(call.path)] = nullptr;
    }
  }

  enum class Loss { kAllUnsynced, kUnsyncedBytes, kNone, kRandom };

  // Writes the surviving content to the folder `place`. Only kRandom uses `random`.
  void materialise(const std::filesystem::path& place, Loss loss, KeyedRandom& random) const {
    std::filesystem::create_directory(place);
    const auto pick = [&](size_t count) -> size_t {
      if (loss == Loss::kAllUnsynced) return 0;
      return loss == Loss::kRandom ? random.below(count) : count - 1;
    };
    for (const auto& [entry_name, node] : root_node_.history[pick(root_node_.history.size())]) {
      if (node) put(place / entry_name, *node, loss, random, pick);
    }
  }

 private:
  struct Node;
  using Entries = std::map<std::string, std::shared_ptr<Node>>;
  struct Node {
    bool is_folder = false;
    std::string bytes = {}, synced_bytes = {};
    std::vector<Entries> history = {
        {}};  // the synced entries, then those after each later call; the last are current
  };

  static std::string name(const std::string& path) {
    return std::filesystem::path(path).filename();
  }

  static std::filesystem::path folder_of(const std::filesystem::path& path) {
    return path.parent_path();
  }

  static bool is_folder(const Entries& entries, const TracedCall& call) {
    const auto found = entries.find(name(call.path));
    return found != entries.end() && found->second && found->second->is_folder;
  }

  Node* find(const std::filesystem::path& path) {
    Node* node = &root_node_;
    for (const auto& part : path.lexically_relative(root_)) {
      if (part != ".") node = node->history.back().at(part).get();
    }
    return node;
  }

  // Adds a copy of the current entries to the history of the folder that holds `path`. The caller
  // modifies the copy.
  Entries& change(const std::string& path) {
    Node* folder = find(folder_of(path));
    folder->history.push_back(folder->history.back());
    return folder->history.back();
  }

  template <class Pick>
  static void put(const std::filesystem::path& place, const Node& node, Loss loss,
                  KeyedRandom& random, const Pick& pick) {
    if (node.is_folder) {
      std::filesystem::create_directory(place);
      for (const auto& [entry_name, inner] : node.history[pick(node.history.size())]) {
        if (inner) put(place / entry_name, *inner, loss, random, pick);
      }
      return;
    }
    std::string content = loss == Loss::kNone ? node.bytes : node.synced_bytes;
    if (loss == Loss::kRandom && node.bytes != node.synced_bytes) {
      content = node.bytes.substr(0, random.below(node.bytes.size() + 1));
    }
    std::ofstream(place, std::ios::binary) << content;
  }

  std::filesystem::path root_;
  Node root_node_{.is_folder = true};
};

}  // namespace fcm::checkpoint
