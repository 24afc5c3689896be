#include "engine/base/format_once.h"

#if defined(_GLIBCXX_RELEASE) && _GLIBCXX_RELEASE == 16
template std::__format::_Sink_iter<char> std::__format::__do_vformat_to<char, 1>(std::__format::_Sink_iter<char>,
                                                                                 std::string_view,
                                                                                 std::format_context&);
#endif
