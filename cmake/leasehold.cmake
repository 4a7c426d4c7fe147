# One place for compiler options and for the shape of a layer's library.

find_program(LEASEHOLD_CCACHE ccache)
if(LEASEHOLD_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${LEASEHOLD_CCACHE})
endif()

add_library(leasehold_options INTERFACE)
target_include_directories(leasehold_options INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_definitions(leasehold_options INTERFACE LEASEHOLD_VERSION="${PROJECT_VERSION}")
target_compile_options(leasehold_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 reports these falsely inside coroutine frames and inlined containers.
  target_compile_options(leasehold_options INTERFACE -fcoroutines -Wno-maybe-uninitialized -Wno-array-bounds
    -Wno-stringop-overflow -Wno-stringop-overread -Wno-restrict -Wno-mismatched-new-delete)
endif()
if(LEASEHOLD_WERROR)
  target_compile_options(leasehold_options INTERFACE -Werror)
endif()
if(LEASEHOLD_SANITIZE)
  target_compile_options(leasehold_options INTERFACE -fsanitize=${LEASEHOLD_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  if(LEASEHOLD_SANITIZE MATCHES "undefined" AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    # Clang 14 cannot place this check's data beside a coroutine's.
    target_compile_options(leasehold_options INTERFACE -fno-sanitize=function)
  endif()
  target_link_options(leasehold_options INTERFACE -fsanitize=${LEASEHOLD_SANITIZE})
endif()

# Asio's implementation is compiled once, in this library; every user of Asio links it.
add_library(leasehold_asio STATIC ${CMAKE_SOURCE_DIR}/cmake/asio.cpp)
target_link_libraries(leasehold_asio PUBLIC Threads::Threads)
target_compile_definitions(leasehold_asio PUBLIC BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED
  BOOST_ASIO_DISABLE_VISIBILITY)
target_compile_features(leasehold_asio PUBLIC cxx_std_20)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(leasehold_asio PRIVATE -fcoroutines)
endif()
if(LEASEHOLD_SANITIZE)
  target_compile_options(leasehold_asio PRIVATE -fsanitize=${LEASEHOLD_SANITIZE} -fno-omit-frame-pointer)
endif()

# leasehold_precompile(TARGETS...): users of Asio that share one precompiled header.
function(leasehold_precompile)
  if(NOT LEASEHOLD_PRECOMPILE)
    return()
  endif()
  foreach(target ${ARGN})
    if(target STREQUAL "leasehold_wire_io")
      target_precompile_headers(${target} PRIVATE ${CMAKE_SOURCE_DIR}/cmake/precompiled.hpp)
    else()
      target_precompile_headers(${target} REUSE_FROM leasehold_wire_io)
    endif()
    if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
      target_compile_options(${target} PRIVATE "SHELL:-Xclang -fno-pch-timestamp")  # so that ccache can know it again
    endif()
  endforeach()
endfunction()

# leasehold_library(NAME SOURCES... LINK libs...): a static library with the project's options.
function(leasehold_library name)
  cmake_parse_arguments(L "" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${L_SOURCES})
  target_link_libraries(${name} PUBLIC leasehold_options ${L_LINK})
endfunction()
