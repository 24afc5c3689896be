#include "operator/base/http.h"

namespace baton {

ErrorKind kind_of_status(int status) {
  switch (status) {
    case 401: return ErrorKind::kDenied;
    case 408:
    case 425:
    case 429: return ErrorKind::kRetry;
    case 404: return ErrorKind::kNotFound;
    case 409: return ErrorKind::kConflict;
    case 410: return ErrorKind::kGone;
    default: return status >= 500 ? ErrorKind::kRetry : ErrorKind::kTerminal;
  }
}

}  // namespace baton
