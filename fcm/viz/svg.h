// SVG elements shared by the charts. Private to viz.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "fcm/viz/chart.h"

namespace fcm::viz::svg {

// A coordinate as text with at most two decimals.
std::string coordinate(double value);

std::string line(std::string_view css_class, double x1, double y1, double x2, double y2);

enum class Anchor { kStart, kMiddle, kEnd };
std::string text(std::string_view css_class, double x, double y, Anchor anchor,
                 std::string_view content);

// The approximate width of `content` in pixels at font size `size`, for layout.
double text_width(std::string_view content, double size);

// The opening tag, with the title as accessible name, and the title and unit at the top left.
std::string open(double width, double height, const std::string& title, const std::string& unit,
                 ChartUse use);

}  // namespace fcm::viz::svg
