// The images and classes that weights come from. Files of other formats store them beside the
// weights as one JSON text, which other programs ignore. Links no LibTorch.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace fcm::interop {

// The key in a .pth file's dictionary, and in a .safetensors file's metadata.
inline constexpr const char* kAboutKey = "about";

// The members checkpoint::kAbout of a checkpoint's state as text; empty: none.
std::string about_text(const nlohmann::json& state);

// The inverse of about_text: copies the members into `state`. Invalid text changes nothing.
void read_about(const std::string& text, nlohmann::json& state);

}  // namespace fcm::interop
