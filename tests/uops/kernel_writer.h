#pragma once
// uops/kernel_writer.h with its ways to access a buffer as functions: tests write many of them.
#include "uops/kernel_writer.h"

namespace pg::test {

using pg::KernelWriter;

/// buffer[i, j, ..]
inline UOp at(const UOp& buffer, std::initializer_list<UOp> indices) { return KernelWriter::at(buffer, indices); }
inline UOp read(const UOp& buffer, std::initializer_list<UOp> indices) { return KernelWriter::read(buffer, indices); }

}  // namespace pg::test
