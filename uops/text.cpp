#include "uops/text.h"
namespace pg {
std::string pretty(const UOp& u) { return info(u.op()).name; }
}
