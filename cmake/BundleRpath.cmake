# cmake -DFILE=PROGRAM -P BundleRpath.cmake: the program looks for libraries in ../lib beside it and nowhere else that is ours.
file(RPATH_SET FILE "${FILE}" NEW_RPATH "$ORIGIN/../lib")
