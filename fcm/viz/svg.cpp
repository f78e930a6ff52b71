#include "fcm/viz/svg.h"

#include "fcm/viz/text.h"

namespace fcm::viz {

// The colours follow the set of Okabe and Ito, which colour-blind readers can distinguish; some are
// darkened on a light background and lightened on a dark one. Compared runs (classes r and q) have
// four colours that are at least 0.19 apart in Oklab, also for readers without red, green or blue
// cones. Axes, grids and labels have the text's colour, faded.
std::string_view chart_style() {
  return R"(
.fv{font:12px/1.3 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;
color:#202124;--c0:#0072b2;--c1:#d55e00;--c2:#009e73;--c3:#a6588a;--c4:#b27a00;--c5:#3c8dbc;
--b0:#c3c7cc;--b1:#8d949c;--b2:#6b7178;
--r0:#2b8cc4;--r1:#d55e00;--r2:#332288;--r3:#661100;display:block;width:100%;height:auto;overflow:visible}
.fv text{fill:currentColor;font-variant-numeric:tabular-nums}
.fv .title{font-weight:600;font-size:13px}
.fv .soft{fill-opacity:.62}
.fv .grid{stroke:currentColor;stroke-opacity:.1;shape-rendering:crispEdges}
.fv .base{stroke:currentColor;stroke-opacity:.4;shape-rendering:crispEdges}
.fv .line{fill:none;stroke-width:1.75;stroke-linejoin:round;stroke-linecap:round}
.fv .back{stroke-width:1;stroke-opacity:.32}
.fv .key{stroke-width:2.5;stroke-linecap:round}
.fv .hit{fill-opacity:0;stroke:none}.fv .hit:hover{fill-opacity:.9}
.fv .dot{stroke:none}
.fv .s0{stroke:var(--c0)}.fv .s1{stroke:var(--c1)}.fv .s2{stroke:var(--c2)}
.fv .s3{stroke:var(--c3)}.fv .s4{stroke:var(--c4)}.fv .s5{stroke:var(--c5)}
.fv .f0{fill:var(--c0)}.fv .f1{fill:var(--c1)}.fv .f2{fill:var(--c2)}
.fv .f3{fill:var(--c3)}.fv .f4{fill:var(--c4)}.fv .f5{fill:var(--c5)}
.fv .n0{fill:var(--b0)}.fv .n1{fill:var(--b1)}.fv .n2{fill:var(--b2)}
.fv .strong{font-weight:600}
.fv .r0{stroke:var(--r0)}.fv .r1{stroke:var(--r1)}.fv .r2{stroke:var(--r2)}.fv .r3{stroke:var(--r3)}
.fv .q0{fill:var(--r0)}.fv .q1{fill:var(--r1)}.fv .q2{fill:var(--r2)}.fv .q3{fill:var(--r3)}
.fv .d1{stroke-dasharray:6 4}.fv .d2{stroke-dasharray:.1 4}.fv .d3{stroke-dasharray:8 4 .1 4}
.fv.swatch{width:28px;height:10px;display:inline-block;flex:none}
@media (prefers-color-scheme:dark){.fv{color:#e3e5e8;--c0:#56b4e9;--c1:#f08a4b;--c2:#3ec9a0;
--c3:#d992bd;--c4:#e6b04c;--c5:#9fd3f2;--b0:#4a4f57;--b1:#757c86;--b2:#9aa1ab;
--r0:#2aa7ff;--r1:#d95f02;--r2:#fff;--r3:#f2c14e}}
@media print{.fv{color:#202124;--c0:#0072b2;--c1:#d55e00;--c2:#009e73;--c3:#a6588a;--c4:#b27a00;
--c5:#3c8dbc;--b0:#c3c7cc;--b1:#8d949c;--b2:#6b7178;
--r0:#2b8cc4;--r1:#d55e00;--r2:#332288;--r3:#661100}}
)";
}

namespace svg {

std::string coordinate(double value) {
  std::string digits = fmt::format("{:.2f}", value);
  while (digits.back() == '0') digits.pop_back();
  if (digits.back() == '.') digits.pop_back();
  return digits == "-0" ? "0" : digits;
}

std::string line(std::string_view css_class, double x1, double y1, double x2, double y2) {
  return fmt::format(R"(<line class="{}" x1="{}" y1="{}" x2="{}" y2="{}"/>)", css_class,
                     coordinate(x1), coordinate(y1), coordinate(x2), coordinate(y2));
}

std::string text(std::string_view css_class, double x, double y, Anchor anchor,
                 std::string_view content) {
  const std::string_view side = anchor == Anchor::kMiddle ? R"( text-anchor="middle")"
                                : anchor == Anchor::kEnd  ? R"( text-anchor="end")"
                                                          : "";
  return fmt::format(R"(<text class="{}" x="{}" y="{}"{}>{}</text>)", css_class, coordinate(x),
                     coordinate(y), side, escape(content));
}

double text_width(std::string_view content, double size) {
  double characters = 0;
  for (const char byte : content) characters += (static_cast<uint8_t>(byte) & 0xC0) != 0x80;
  return characters * size * 0.59;
}

std::string open(double width, double height, const std::string& title, const std::string& unit,
                 ChartUse use) {
  const bool file = use == ChartUse::kFile;
  std::string out = fmt::format(
      R"(<svg class="fv"{} viewBox="0 0 {} {}" role="img" aria-label="{}">)",
      file ? fmt::format(R"( xmlns="http://www.w3.org/2000/svg" width="{}" height="{}")",
                         coordinate(width), coordinate(height))
           : std::string(),
      coordinate(width), coordinate(height), escape(title));
  if (file) out += fmt::format("<style>{}</style>", chart_style());
  if (!title.empty() || !unit.empty()) {
    out += fmt::format(R"(<text x="0" y="14"><tspan class="title">{}</tspan>)", escape(title));
    if (!unit.empty()) out += fmt::format(R"(<tspan class="soft" dx="8">{}</tspan>)", escape(unit));
    out += "</text>";
  }
  return out;
}

}  // namespace svg
}  // namespace fcm::viz
