#include "src/cli/exit_status.h"

#include <unistd.h>

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
    if (std::cout) return status;
    // Where an earlier write failed the reason is gone, but the next one fails alike.
    if (errno == 0 && write(STDOUT_FILENO, "\n", 1) == 1) return fault(kUserFault, "cannot write the output");
    return errno == EPIPE ? status : fault(kUserFault, "cannot write the output: ", std::strerror(errno));
  } catch (const UserError& e) {
    return fault(kUserFault, e.what());
  } catch (const std::bad_alloc&) {
    return fault(kUserFault, "out of memory");
  } catch (const std::exception& e) {  // InternalError, and what nobody should have let through
    return fault(kDefect, e.what(), kPleaseReport);
  }
}

}  // namespace pg
