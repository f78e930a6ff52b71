#include "fcm/encoder/names.h"

#include <algorithm>

namespace fcm::encoder {

std::optional<int64_t> block_number(std::string_view name, std::string_view stem) {
  if (!name.starts_with(stem)) return std::nullopt;
  name.remove_prefix(stem.size());
  if (!name.starts_with('.')) return std::nullopt;
  name.remove_prefix(1);
  const std::string number(name.substr(0, name.find('.')));
  const bool digits = !number.empty() && number.size() < 7 &&
                      number.find_first_not_of("0123456789") == std::string::npos;
  if (!digits) return std::nullopt;
  return std::stoll(number);
}

bool Shapes::has(const std::string& name, size_t dimensions) const {
  const auto found = shapes_.find(name);
  return found != shapes_.end() && found->second.size() == dimensions &&
         std::find(found->second.begin(), found->second.end(), 0) == found->second.end();
}

int64_t Shapes::at(const std::string& name, size_t dimension) const {
  return shapes_.at(name).at(dimension);
}

int64_t Shapes::blocks(const std::string& stem) const {
  int64_t count = 0;
  const std::string start = stem + ".";
  for (auto it = shapes_.lower_bound(start); it != shapes_.end() && it->first.starts_with(start);
       ++it) {
    if (const auto number = block_number(it->first, stem)) count = std::max(count, *number + 1);
  }
  return count;
}

double Shapes::mlp_ratio(const std::string& stem, int64_t dim) const {
  const auto found = shapes_.find(stem + ".0.mlp.fc1.weight");
  if (found == shapes_.end() || found->second.empty()) return 4;
  return static_cast<double>(found->second.front()) / static_cast<double>(dim);
}

bool add_stage(const Shapes& shapes, const std::string& embedding, const std::string& stem,
               Recognised& found) {
  if (!shapes.has(embedding, 4)) return false;
  EncoderOptions& options = found.options;
  if (options.dims.empty()) found.channels = shapes.at(embedding, 1);
  options.dims.push_back(shapes.at(embedding, 0));
  options.strides.push_back(shapes.at(embedding, 2));
  options.depths.push_back(shapes.blocks(stem));
  options.mlp_ratios.push_back(shapes.mlp_ratio(stem, options.dims.back()));
  return true;
}

nn::Layer layer_by_blocks(std::string_view name, std::span<const std::string_view> first,
                          std::string_view stem, int64_t depth) {
  nn::Layer layer;
  layer.last = static_cast<int>(depth) + 1;
  layer.exempt = name == "pos_embed" || name == "cls_token";
  const bool embeds =
      layer.exempt || std::any_of(first.begin(), first.end(), [&](std::string_view beginning) {
        return name.starts_with(beginning);
      });
  const std::optional<int64_t> block = block_number(name, stem);
  layer.index = embeds ? 0 : block ? static_cast<int>(*block) + 1 : layer.last;
  return layer;
}

}  // namespace fcm::encoder
