#include "src/cli/chat_terminal.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <optional>
#include <ostream>
#include <string>

#include "src/cli/interrupt.h"
#include "uops/error.h"

namespace pg {
namespace {

volatile std::sig_atomic_t interrupted = 0;

/// Lines from stdin, past the streams' buffers. While it lives, Ctrl-C ends them instead of the program: in a wait for one,
/// or from then on, but for where an answer has its own Interrupt.
class Lines {
 public:
  Lines() {
    interrupted = 0;
    struct sigaction action {};
    action.sa_handler = [](int) { interrupted = 1; };
    ::sigaction(SIGINT, &action, &saved_);
  }
  ~Lines() { ::sigaction(SIGINT, &saved_, nullptr); }
  Lines(const Lines&) = delete;
  Lines& operator=(const Lines&) = delete;

  /// None: the end, or Ctrl-C.
  std::optional<std::string> next() {
    for (;;) {
      if (const size_t end = held_.find('\n'); end != held_.npos) {
        std::string line = held_.substr(0, end);
        held_.erase(0, end + 1);
        return line;
      }
      char piece[4096];  // a terminal hands over no longer lines
      if (!readable()) return {};
      const ssize_t n = ::read(STDIN_FILENO, piece, sizeof piece);
      if (n <= 0) return {};
      held_.append(piece, static_cast<size_t>(n));
    }
  }

 private:
  /// Waits. A signal that comes between the look at `interrupted` and the wait must end it too: it is let in by ppoll alone.
  static bool readable() {
    sigset_t interrupts, before;
    sigemptyset(&interrupts);
    sigaddset(&interrupts, SIGINT);
    pthread_sigmask(SIG_BLOCK, &interrupts, &before);
    pollfd terminal{STDIN_FILENO, POLLIN, 0};
    int ready = 0;
    while (!interrupted && (ready = ppoll(&terminal, 1, nullptr, &before)) < 0 && errno == EINTR) {
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return ready > 0 && !interrupted;
  }

  struct sigaction saved_;
  std::string held_;
};

void answer(Chat& chat, const std::string& message, const GenerateOptions& options, std::ostream& out, std::ostream& log) {
  const Interrupt interrupt;
  const GenerateStats stats = chat.say(message, options, [&](std::string_view piece) {
    out << piece << std::flush;
    return !Interrupt::requested() && out.good();
  });
  out << std::endl;
  if (stats.stop == StopReason::ContextFull) log << "(the context is full: /reset begins anew, -c makes it larger)\n";
  if (stats.stop == StopReason::Interrupted) log << "(stopped)\n";
}

}  // namespace

int chat_on_terminal(Chat& chat, const GenerateOptions& options, std::ostream& out, std::ostream& log) {
  log << "a message a line; Ctrl-C stops an answer, /reset begins anew, /exit or Ctrl-D ends\n";
  Lines lines;
  while (out.good()) {
    log << "> " << std::flush;
    const std::optional<std::string> line = lines.next();
    if (!line) {
      log << std::endl;  // the shell's prompt begins a line
      break;
    }
    if (*line == "/exit") break;
    if (*line == "/reset") {
      chat.reset();
    } else if (line->find_first_not_of(" \t\r") != line->npos) {
      try {
        answer(chat, *line, options, out, log);
      } catch (const UserError& e) {  // a message that does not fit
        log << e.what() << "\n/reset begins anew\n";
      }
    }
  }
  return 0;
}

}  // namespace pg
