#pragma once
#include "uops/memo.h"
#include "uops/rewrite.h"

namespace pg {

/// The driver behind rewrite and simplify: iterative, sources first, each node once; keeps its memo from call to call.
class Rewriter {
 public:
  /// `settles`: nodes that the rules leave alone are marked as simplest. For one RuleSet of the process: simplify's.
  Rewriter(const RuleSet& rules, const RewriteOptions& options, bool settles) : rules_(rules), options_(options), settles_(settles) {}
  UOp operator()(const UOp& root);

 private:
  struct Frame {
    UOp original, current;  // current is what original has become so far
  };
  const UOp* find(const UOp& u) const;
  UOp rebuilt(const UOp& u) const;
  void remember(const UOp& from, const UOp& to) {
    kept_.push_back(from);
    memo_.set(from, to);
  }
  void step(const Rule& rule, const UOp& from, const UOp& to);

  const RuleSet& rules_;
  const RewriteOptions& options_;
  const bool settles_;
  Memo<UOp> memo_;
  UOps kept_;  // the memo's keys
  int steps_ = 0;
};

}  // namespace pg
