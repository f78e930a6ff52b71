// Facts about weights that tensors do not tell, from the files beside them: config.json of timm and
// of Hugging Face, preprocessor_config.json. Links no LibTorch.
//
// They are stored in a checkpoint's state under kFactsKey as
//   {"source": "config.json", "keys": {recipe key: value}, "refused": [sentence],
//    "eval_crop": share, "pool": timm's global_pool, "sizes": {"dim", "depth", "patch"},
//    "names": {recipe key: what the file says, in its words}, "unusable": {recipe key: sentence},
//    "notes": [{"key": recipe key or "", "sentence": what this program does differently}]}
// where unknown members are absent.
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "fcm/checkpoint/checkpoint.h"
#include "fcm/interop/architecture.h"

namespace fcm::interop {

inline constexpr const char* kFactsKey = "facts";

// Facts in the two files (objects; null: no such file). `refused` are sentences about features that
// no network here has, such as another activation. Only callers that build a network have to act on
// them; names and tensors can be shown all the same. An empty object if nothing is understood.
nlohmann::json facts_of(const nlohmann::json& config, const nlohmann::json& preprocessor);

struct FolderFacts {
  nlohmann::json facts;
  std::string fault;  // a sentence about a file that is not a JSON object; empty: none
};

// Facts in the folder's config.json and preprocessor_config.json (or the image part of
// processor_config.json); an empty object if there is none, or none of these programs.
FolderFacts facts_of_folder(const std::filesystem::path& folder);

// Facts in the metadata of a safetensors file, if it holds a config, as text or key by key.
nlohmann::json facts_of_metadata(const std::map<std::string, std::string>& metadata);

// Facts in the arguments that training programs store in their files: mean, std, model,
// model_kwargs.
nlohmann::json facts_of_arguments(const nlohmann::json& args);

// The valid facts of a checkpoint's state: a file may claim anything. An empty object if there are
// none.
nlohmann::json facts_in(const checkpoint::Checkpoint& checkpoint);

// A sentence about a size by which the facts belong to another model: "hidden_size is 768, its
// weights have 64"; empty: none.
std::string disagreement(const nlohmann::json& facts, const Architecture& architecture);

// The facts in the form of --set ("encoder.heads=4"), for this architecture.
std::vector<std::string> as_overrides(const nlohmann::json& facts,
                                      const Architecture& architecture);

// The notes on what this program does differently, one sentence each, without those for keys in
// `set`.
std::vector<std::string> notes_in(const nlohmann::json& facts, const std::vector<std::string>& set);

// Throws Error(kCheckpoint) with the first reason why no network here can use the weights: a
// missing feature, or an impossible fact (heads that do not divide the width), unless `set` has
// that key.
void refuse_unsupported(const checkpoint::Checkpoint& checkpoint,
                        const std::vector<std::string>& set = {});

}  // namespace fcm::interop
