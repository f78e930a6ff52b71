// Which pictures and classes weights come from, beside the weights in files of other formats: one
// text, JSON, that other programs leave alone. Links no LibTorch.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace fcm::interop {

// The entry of a .pth file, and of a .safetensors file's metadata.
inline constexpr const char* kAboutKey = "about";

// What a checkpoint's state says of them (checkpoint::kAbout). Empty: nothing.
std::string about_text(const nlohmann::json& state);

// The way back. Text that is not ours changes nothing.
void take_about(const std::string& text, nlohmann::json& state);

}  // namespace fcm::interop
