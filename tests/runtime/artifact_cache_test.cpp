#include "runtime/artifact_cache.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "runtime/process.h"

using namespace pg;
namespace fs = std::filesystem;

namespace {
int mode_of(const std::string& path) {
  struct stat about;
  return stat(path.c_str(), &about) == 0 ? about.st_mode & 0777 : -1;
}
void overwrite(const std::string& path, size_t at, char c) {
  std::fstream f(path, std::ios::in | std::ios::out | std::ios::binary);
  f.seekp(static_cast<std::streamoff>(at));
  f.put(c);
}
}  // namespace

TEST_CASE("what was put is got, by key, in files of ours alone") {
  const TemporaryDirectory t;
  const std::string dir = t.path() + "/deep/artifacts";
  ArtifactCache cache(dir);
  const std::string bytes(
      "\x7f"
      "ELF\0\n\nbytes",
      12),
      key = ArtifactCache::key({"source", "flags"});
  CHECK(!cache.get(key));
  cache.put(key, {"kernel", bytes, 12.5});
  const auto got = ArtifactCache(dir).get(key);
  REQUIRE(got);
  CHECK(got->name == "kernel");
  CHECK(got->bytes == bytes);
  CHECK(got->compile_ms == 0);
  CHECK(mode_of(dir) == 0700);
  CHECK(mode_of(dir + "/" + key) == 0600);
  CHECK(std::distance(fs::directory_iterator(dir), fs::directory_iterator()) == 1);  // no temporary is left
}

TEST_CASE("keys tell parts apart") {
  CHECK(ArtifactCache::key({"ab", "c"}) != ArtifactCache::key({"a", "bc"}));
  CHECK(ArtifactCache::key({"a"}).size() == 32);
}

TEST_CASE("a changed byte anywhere, a short file, another's name: not taken") {
  const TemporaryDirectory t;
  const std::string dir = t.path() + "/artifacts", key = ArtifactCache::key({"k"}), path = dir + "/" + key;
  ArtifactCache cache(dir);
  const Artifact made{"kernel", "some bytes of code", 0};
  cache.put(key, made);
  const auto size = fs::file_size(path);
  for (size_t at = 0; at < size; ++at) {
    if (at == 52) continue;  // the newline after the hash says nothing
    cache.put(key, made);
    overwrite(path, at, '\x01');
    CAPTURE(at);
    CHECK(!cache.get(key));
  }
  for (size_t n : {size_t{0}, size_t{10}, size_t{60}, static_cast<size_t>(size) - 1}) {
    cache.put(key, made);
    fs::resize_file(path, n);
    CHECK(!cache.get(key));
  }
  cache.put(key, made);
  const std::string other = ArtifactCache::key({"other"});
  fs::copy_file(path, dir + "/" + other);
  fs::permissions(dir + "/" + other, fs::perms::owner_read | fs::perms::owner_write);
  CHECK(!cache.get(other));
}

TEST_CASE("files that others may write to, and links, are not taken") {
  const TemporaryDirectory t;
  const std::string dir = t.path() + "/artifacts", key = ArtifactCache::key({"k"}), path = dir + "/" + key;
  ArtifactCache cache(dir);
  cache.put(key, {"kernel", "code", 0});
  CHECK(chmod(path.c_str(), 0666) == 0);
  CHECK(!cache.get(key));
  CHECK(chmod(path.c_str(), 0600) == 0);
  CHECK(cache.get(key));
  fs::rename(path, t.path() + "/elsewhere");
  fs::create_symlink(t.path() + "/elsewhere", path);
  CHECK(!cache.get(key));
}

TEST_CASE("a directory that cannot be had, or that others may write to: works without") {
  const TemporaryDirectory t;
  std::ofstream(t.path() + "/file") << "x";
  ArtifactCache under_a_file(t.path() + "/file/artifacts");
  under_a_file.put("k", {"kernel", "code", 0});
  CHECK(!under_a_file.get("k"));
  const std::string open_dir = t.path() + "/open";
  fs::create_directory(open_dir);
  CHECK(chmod(open_dir.c_str(), 0777) == 0);
  ArtifactCache shared(open_dir);
  shared.put("k", {"kernel", "code", 0});
  CHECK(!shared.get("k"));
}
