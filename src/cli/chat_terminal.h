#pragma once
#include <iosfwd>

#include "models/chat.h"

namespace pg {

/// A conversation on the terminal: a message a line from stdin, answers on `out`, prompts and remarks on `log`. /reset
/// begins anew. It ends, with status 0, at /exit, Ctrl-D or Ctrl-C at the prompt; Ctrl-C in an answer stops that answer.
int chat_on_terminal(Chat&, const GenerateOptions&, std::ostream& out, std::ostream& log);

}  // namespace pg
