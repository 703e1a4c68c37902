#include "src/cli/interrupt.h"

#include <csignal>

#include "search/tune.h"

namespace pg {
namespace {

volatile std::sig_atomic_t noted = 0;
void note(int) {
  noted = 1;
  interrupt_search();
}

}  // namespace

struct Interrupt::Saved {
  struct sigaction action;
};

Interrupt::Interrupt() : saved_(new Saved) {
  noted = 0;
  struct sigaction action {};
  action.sa_handler = note;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  ::sigaction(SIGINT, &action, &saved_->action);
}
Interrupt::~Interrupt() {
  ::sigaction(SIGINT, &saved_->action, nullptr);
  delete saved_;
}
bool Interrupt::requested() { return noted != 0; }

}  // namespace pg
