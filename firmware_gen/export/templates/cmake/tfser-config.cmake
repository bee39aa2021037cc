include("${CMAKE_CURRENT_LIST_DIR}/tfser-targets.cmake")
