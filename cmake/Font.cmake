# The font for text on sheets: cmake/draw_font.cpp renders DejaVu Sans into glyphs.cpp, a generated C++ file declared by
# fcm/viz/glyphs.h. Built programs need neither the font nor FreeType.
find_package(Freetype REQUIRED)
find_file(FCM_FONT DejaVuSans.ttf PATHS /usr/share/fonts PATH_SUFFIXES truetype/dejavu dejavu dejavu-sans-fonts TTF
  NO_DEFAULT_PATH)
if(NOT FCM_FONT)
  message(FATAL_ERROR "found no DejaVuSans.ttf in /usr/share/fonts: install fonts-dejavu-core (scripts/packages.txt), "
    "or name the file with -DFCM_FONT=...")
endif()

add_executable(draw_font "${PROJECT_SOURCE_DIR}/cmake/draw_font.cpp")
set_target_properties(draw_font PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}")
target_link_libraries(draw_font PRIVATE fcm_warnings Freetype::Freetype)
set(FCM_GENERATED_viz "${PROJECT_BINARY_DIR}/glyphs.cpp")
add_custom_command(OUTPUT "${FCM_GENERATED_viz}" COMMAND draw_font "${FCM_FONT}" "${FCM_GENERATED_viz}"
  DEPENDS draw_font "${FCM_FONT}" COMMENT "Drawing the glyphs of ${FCM_FONT}" VERBATIM)
