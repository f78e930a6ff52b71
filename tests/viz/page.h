// Checks that an HTML page is complete and self-contained.
#pragma once

#include <gtest/gtest.h>

#include <regex>
#include <string>

#include "tests/viz/markup.h"

namespace fcm::viz {

inline bool contains(const std::string& text, const std::string& what) {
  return text.find(what) != std::string::npos;
}

// The first reference to something outside the page; empty if the page is self-contained.
inline std::string not_self_contained(const std::string& page) {
  for (const char* word : {"http://", "https://", "<script", "<link", "<iframe", "@import", "url(",
                           "srcset", "href=", "<object", "<base", " onload="}) {
    if (contains(page, word)) return word;
  }
  const std::regex source("src=\"([^\"]{0,22})");
  for (std::sregex_iterator at(page.begin(), page.end(), source), end; at != end; ++at) {
    if ((*at)[1] != "data:image/png;base64,") return (*at)[1];
  }
  return {};
}

inline void expect_whole_page(const std::string& page) {
  EXPECT_EQ(MarkupChecker({"meta", "img", "input", "wbr"}).problem(page), "");
  EXPECT_EQ(not_self_contained(page), "");
  EXPECT_FALSE(std::regex_search(page, std::regex("[ \">](nan|-nan|inf|-inf|null)[ \"<]")));
}

}  // namespace fcm::viz
