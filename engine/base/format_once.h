#pragma once

// Included before everything else in every file of ours (CMakeLists.txt), so that it need not be included by hand.

#include <format>

/// The machinery behind std::format is a template that every file would compile for itself, which took a quarter of the
/// time of a whole build. libstdc++ compiles it once for C++20 alone (<format> of GCC 16, below __do_vformat_to<char,
/// 1>), so format_once.cc does it for C++23. Other releases may name it otherwise, and are left as they are.
#if defined(_GLIBCXX_RELEASE) && _GLIBCXX_RELEASE == 16
extern template std::__format::_Sink_iter<char> std::__format::__do_vformat_to<char, 1>(std::__format::_Sink_iter<char>,
                                                                                        std::string_view,
                                                                                        std::format_context&);
#endif
