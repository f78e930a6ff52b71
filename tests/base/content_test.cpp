#include "fcm/base/content.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace fcm {
namespace {

using namespace std::string_literals;

TEST(Content, WhatFilesOftenAreInstead) {
  const std::string tar = std::string(257, 'x') + "ustar" + std::string(300, 'x');
  const std::vector<std::pair<std::string, std::string>> cases{
      {"version https://git-lfs.github.com/spec/v1\noid sha256:4d\n", "a Git LFS pointer"},
      {"<!DOCTYPE html><html>", "a web page"},
      {"\n  <HTML><body>404", "a web page"},
      {"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>", "XML"},
      {"<?xml version=\"1.0\"?><svg xmlns=\"x\">", "an SVG"},
      {"<svg>", "an SVG"},
      {"{\"message\": \"Not Found\"}", "JSON: {\"message\""},
      {"GIF89a..........", "a GIF"},
      {"\0\0\0\x24"s + "ftypheic", "a HEIC"},
      {"\0\0\0\x20"s + "ftypavif", "an AVIF"},
      {"\0\0\0\x20"s + "ftypisom", "a video"},
      {"\0\0\0\x18"s + "ftypcrx ", "a camera's raw file (Canon)"},
      {"\0\0\0\x0CJXL \r\n"s, "a JPEG XL"},
      {"\x1f\x8b\x08\0"s, "a compressed file (gzip): unpack it first"},
      {"PK\3\4..", "a zip archive"},
      {"%PDF-1.7", "a PDF"},
      {"II*\0\x10\0\0\0CR\2\0"s, "a camera's raw file (Canon)"},
      {tar, "a tar archive"},
      {"P6\n40 40\n255\n", "a PPM"},
      {std::string(64, '\0'), "nothing but zero bytes"},
      {"\0\5\x16\7\0\2\0\0"s, "an AppleDouble file"},
      {"just some words\nand more", "text that begins \"just some words\""},
      {"\n# A recipe\n[row]\nname = \"x\"\n", "a recipe, which --recipe takes"},
      {"[tool.poetry]\nname = \"x\"\n", "TOML: [tool.poetry]"},
      {"[1, 2]\n", "JSON: [1, 2]"},
      {"[\n  \"a\"\n]", "JSON: [ \"a\" ]"},
      {"{\n  \"message\":\n 1}", "JSON: { \"message\": 1}"},
      {"{\n \"format\": \"fastconvmae checkpoint\",\n", "the manifest of a checkpoint"},
      {"{\"images\": 3, \"top1\": 50}", "a result (JSON): {\"images\": 3"},
      {"{\"epoch\":1,\"loss\":0.5,\"step\":3}\n", "the log of a run"},
      {"<!doctype html><meta name=\"generator\" content=\"fastconvmae\">",
       "a page that fastconvmae report wrote"},
      {"\x18\0\0\0\0\0\0\0\xa3\x7f\x4b\x22\x09........\x1a\x0d"s + "brain.Event:2",
       "an event file of TensorBoard"},
      {"FCMPACK\n\1\0\0\0"s, "a packed file of images"},
      {"label\tclass\tpicture\n0\ta\ta.jpg\n", "a list of images that fastconvmae features wrote"},
      {"PK\3\4" + std::string(26, '\0') + "archive/data.pkl", "a PyTorch file"},
      {"\x40\0\0\0\0\0\0\0{\"w\":{}}"s, "a safetensors file"},
      {"", "an empty file"}};
  for (const auto& [bytes, what] : cases) {
    EXPECT_TRUE(content_kind(bytes).starts_with(what)) << what << ": " << content_kind(bytes);
  }
  EXPECT_EQ(content_kind("\x01\x02\x03\xFF"), "");
  EXPECT_EQ(content_kind("esc\x1b[31m\x01"), "");  // control characters are not text
}

}  // namespace
}  // namespace fcm
