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

UOp simplify(const UOp& u) {
  static const RewriteOptions options;
  return Rewriter(simplify_rules(), options, true)(u);
}

}  // namespace pg
