// Draws class maps over their images.
//
// A map is a grey image::Image of class indices, with kNoClass for pixels without a class.
// image::encode_png writes it as the plain map that other programs read.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fcm/image/image.h"
#include "fcm/viz/font.h"
#include "fcm/viz/legend.h"

namespace fcm::viz {

inline constexpr uint8_t kNoClass = 255;

// `colours`, or class_colours() if it is empty. Throws std::logic_error if there are fewer colours
// than names.
std::vector<Colour> colours_of_classes(const std::vector<std::string>& names,
                                       const std::vector<Colour>& colours);

// Blends the image in greys (its own colours would look like those of classes) with the colours of
// the classes, half each. Regions have borders in their full colour, `border` pixels wide; pixels
// without a class are darkened. Throws std::logic_error unless the map has the image's size and
// classes below colours.size().
image::Image blend_classes(const image::Image& image, const image::Image& map,
                           const std::vector<Colour>& colours, int64_t border);

// Legend entries for the classes in the maps, largest first; with `with_shares` also their
// percentage of all pixels. Pixels without a class are the last entry.
std::vector<LegendEntry> legend_of(const std::vector<const image::Image*>& maps,
                                   const std::vector<std::string>& names,
                                   const std::vector<Colour>& colours, bool with_shares);

// Draws the map over the image, and a legend below or beside it, whichever makes the result
// smaller. The image may have any size: small ones are enlarged, and the text size follows.
// `colours` may be empty.
image::Image map_over_image(const image::Image& image, const image::Image& map,
                            const std::vector<std::string>& names,
                            const std::vector<Colour>& colours);

// For small images: the integer factor that makes the longer side at least `wanted` pixels.
int64_t enlargement(const image::Image& image, int64_t wanted);

}  // namespace fcm::viz
