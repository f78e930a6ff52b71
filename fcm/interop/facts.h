// Facts about weights that cannot be inferred from tensors. They come from files beside the weights
// (config.json of timm, Hugging Face or this program, preprocessor_config.json,
// processor_config.json), from a safetensors file's metadata, or from the arguments in a training
// file. Links no LibTorch.
//
// They are stored in a checkpoint's state under kFactsKey as
//   {"source": "config.json", "keys": {recipe key: value}, "refused": [sentence],
//    "eval_crop": share, "pool": timm's global_pool, "sizes": {"dim", "depth", "patch"},
//    "names": {recipe key: what the file says, in its words}, "unusable": {recipe key: sentence},
//    "notes": [{"key": recipe key or "", "sentence": what this program does differently}]}
// Members are absent if the files do not have the fact.
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

// Facts in config.json and preprocessor_config.json (objects; null: no such file). "refused" are
// sentences about features that no network here has, such as another activation. Callers that build
// a network must act on them; callers that only show names and tensors need not. Returns an empty
// object if nothing is understood.
nlohmann::json facts_of(const nlohmann::json& config, const nlohmann::json& preprocessor);

struct FolderFacts {
  nlohmann::json facts;
  std::string fault;  // a sentence about a file that is not a JSON object; empty: there is none
};

// Facts in the folder's config.json and preprocessor_config.json (or the image part of
// processor_config.json). An empty object if there are no such files of a known program.
FolderFacts facts_of_folder(const std::filesystem::path& folder);

// Facts in the metadata of a safetensors file that contains a config, as one text or key by key.
nlohmann::json facts_of_metadata(const std::map<std::string, std::string>& metadata);

// Facts in the arguments that training programs store in their files: mean, std, interpolation,
// model, arch, model_kwargs.
nlohmann::json facts_of_arguments(const nlohmann::json& args);

// The facts in a checkpoint's state, each checked again, because the state may come from any file.
// An empty object if there are none.
nlohmann::json facts_in(const checkpoint::Checkpoint& checkpoint);

// A sentence about a size that shows that the facts belong to another model: "config.json says dim
// 768, the weights have 64"; empty: sizes agree.
std::string disagreement(const nlohmann::json& facts, const Architecture& architecture);

// The facts in the form of --set ("encoder.heads=4"), for this architecture.
std::vector<std::string> as_overrides(const nlohmann::json& facts,
                                      const Architecture& architecture);

// The notes on what this program does differently, one sentence each. Notes for keys in `set` (as
// in --set) are left out.
std::vector<std::string> notes_in(const nlohmann::json& facts, const std::vector<std::string>& set);

// Throws Error(kCheckpoint) with the first reason why no network here can use the weights: a
// feature that is missing here, or an unusable or impossible fact (heads that do not divide the
// width). A fact whose key is in `set` is not checked. Does nothing if the state has a recipe.
void refuse_unsupported(const checkpoint::Checkpoint& checkpoint,
                        const std::vector<std::string>& set = {});

}  // namespace fcm::interop
