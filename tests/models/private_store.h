#pragma once
// Tests see no schedules of the user's database and leave none there.
#include <unistd.h>

#include <filesystem>
#include <string>

#include "runtime/config.h"

namespace pg::tests {

struct PrivateStore {
  std::filesystem::path folder = std::filesystem::temp_directory_path() / ("picograd_test_" + std::to_string(::getpid()));
  PrivateStore() {
    std::filesystem::create_directories(folder);
    Config c = config();
    c.db = folder / "picograd.db";  // compiled artifacts stay where they are: they are keyed by what they are made of
    c.pretuned = "none";
    c.runner = PICOGRAD_BINARY_DIR "/picograd-runner";
    set_config(c);
  }
  ~PrivateStore() {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }
};
inline const PrivateStore private_store;

}  // namespace pg::tests
