#include "src/cli/exit_status.h"

#include <cerrno>
#include <cstring>
#include <iostream>
#include <new>

#include "uops/error.h"

namespace pg {

namespace {
int fault(int status, const char* what, const char* remedy = "") {
  std::cout.flush();
  std::cerr << "picograd: " << what << remedy << "\n";
  return status;
}
constexpr const char* kPleaseReport = "\n  this is a defect in picograd: please report it with the command line";
}  // namespace

int exit_status(const std::function<int()>& command) {
  try {
    const int status = command();
    errno = 0;
    std::cout.flush();
    if (!std::cout && errno != 0 && errno != EPIPE)
      return fault(kUserFault, "cannot write the output: ", std::strerror(errno));
    return status;
  } catch (const UserError& e) {
    return fault(kUserFault, e.what());
  } catch (const std::bad_alloc&) {
    return fault(kUserFault, "out of memory");
  } catch (const std::exception& e) {  // InternalError, and what nobody should have let through
    return fault(kDefect, e.what(), kPleaseReport);
  }
}

}  // namespace pg
