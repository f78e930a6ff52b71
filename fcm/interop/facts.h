// Facts about weights that tensors do not tell, out of the files that lie beside them: config.json
// of timm and of Hugging Face, preprocessor_config.json. Links no LibTorch.
//
// They are kept in a checkpoint's state under kFactsKey as
//   {"source": "config.json", "keys": {recipe key: value}, "refused": [sentence],
//    "eval_crop": share, "pool": timm's global_pool, "sizes": {"dim", "depth", "patch"},
//    "names": {recipe key: what the file says, in its words}, "unusable": {recipe key: sentence},
//    "notes": [{"key": recipe key or "", "sentence": what is done otherwise here}]}
// where whatever is not known is absent.
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

// What the two files say (objects; null: there is none). `refused` are sentences about what this
// program's networks do not do, such as another activation: they are for whoever makes a network,
// since names and tensors can be shown all the same. An empty object where nothing is understood.
nlohmann::json facts_of(const nlohmann::json& config, const nlohmann::json& preprocessor);

struct FactsBeside {
  nlohmann::json facts;
  std::string fault;  // a sentence about a file that is no JSON object; empty: there is none
};

// Of the folder's config.json and preprocessor_config.json (or what processor_config.json says of
// pictures); an empty object where none is there or none is of these programs.
FactsBeside facts_beside(const std::filesystem::path& folder);

// Of the metadata of a safetensors file, where somebody put a config there, as text or key by key.
nlohmann::json facts_of_metadata(const std::map<std::string, std::string>& metadata);

// Of the arguments that training programs keep in their files: mean, std, model, model_kwargs.
nlohmann::json facts_of_arguments(const nlohmann::json& args);

// Those of a checkpoint's state, as far as they are sound: a file may claim anything. An empty
// object where there are none.
nlohmann::json facts_in(const checkpoint::Checkpoint& checkpoint);

// In which size the facts are another model's than these tensors: "hidden_size is 768, its weights
// have 64"; empty: in none.
std::string disagreement(const nlohmann::json& facts, const Architecture& architecture);

// The facts as --set takes them ("encoder.heads=4"), for this architecture.
std::vector<std::string> as_overrides(const nlohmann::json& facts,
                                      const Architecture& architecture);

// What files say and this program does otherwise, a sentence each, but for what is set.
std::vector<std::string> notes_in(const nlohmann::json& facts, const std::vector<std::string>& set);

// Throws Error(kCheckpoint) with the first thing that weights do and no network of this program, or
// that is said of them and cannot be (heads that do not divide the width), unless `set` gives that
// key.
void refuse_unsupported(const checkpoint::Checkpoint& checkpoint,
                        const std::vector<std::string>& set = {});

}  // namespace fcm::interop
