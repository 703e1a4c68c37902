#include "uops/simplify.h"

#include "uops/rewriter.h"
#include "uops/rules.h"

namespace pg {

namespace {
RuleSet all_rules() {
  std::vector<Rule> rules = value_rules();
  for (Rule& r : index_rules()) rules.push_back(std::move(r));
  return RuleSet(std::move(rules));
}
}  // namespace

const RuleSet& simplify_rules() {
  static const RuleSet rules = all_rules();
  return rules;
}

namespace {
thread_local RewriteOptions options;
}
SimplifyTrace::SimplifyTrace(std::vector<std::string>* lines) : outer_(options.trace) { options.trace = lines; }
SimplifyTrace::~SimplifyTrace() { options.trace = outer_; }

UOp simplify(const UOp& u) {
  return Rewriter(simplify_rules(), options, true)(u);
}

}  // namespace pg
