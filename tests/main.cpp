#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdlib>

int main(int argc, char** argv) {
  setenv("PICOGRAD_PRETUNED", "none", 0);  // what a test finds does not depend on the machine's having a file of its own
  return doctest::Context(argc, argv).run();
}
