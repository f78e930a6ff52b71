// Maps of classes over the images they belong to.
//
// A map is a grey image::Image of class numbers, kNoClass where a pixel has none. Written by
// image::encode_png as it is, it is the plain map that other programs read.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fcm/image/image.h"
#include "fcm/viz/font.h"
#include "fcm/viz/legend.h"

namespace fcm::viz {

inline constexpr uint8_t kNoClass = 255;

// Colours as given, or class_colours() where none are. Throws std::logic_error for fewer colours
// than names.
std::vector<Colour> colours_of_classes(const std::vector<std::string>& names,
                                       const std::vector<Colour>& colours);

// Half the image, in greys so that its own colours do not pass for those of classes, and half the
// classes' colours; regions have borders in their full colour, `border` pixels wide, and what has
// no class is darkened. Throws std::logic_error unless the map has
// the image's size and classes below colours.size().
image::Image tinted(const image::Image& picture, const image::Image& map,
                    const std::vector<Colour>& colours, int64_t border);

// The classes of the maps, the largest first, with what they cover of all pixels in percent where
// `with_shares`; pixels without a class come last.
std::vector<LegendEntry> legend_of(const std::vector<const image::Image*>& maps,
                                   const std::vector<std::string>& names,
                                   const std::vector<Colour>& colours, bool with_shares);

// An image of any size, its map over it and a legend below or beside it, whichever makes the
// smaller whole. Small images are enlarged, and text is as large as the image makes it useful.
// `colours` may be empty.
image::Image map_over_picture(const image::Image& picture, const image::Image& map,
                              const std::vector<std::string>& names,
                              const std::vector<Colour>& colours);

// Of small images, the whole factor that makes the longer side at least `wanted` pixels.
int64_t enlargement(const image::Image& picture, int64_t wanted);

}  // namespace fcm::viz
