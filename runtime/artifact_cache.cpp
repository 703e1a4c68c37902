#include "runtime/artifact_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "runtime/process.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace pg {

namespace {

constexpr std::string_view kMagic = "picograd artifact 1\n";

std::string hex(XXH128_hash_t h) {
  char s[33];
  std::snprintf(s, sizeof s, "%016llx%016llx", static_cast<unsigned long long>(h.high64),
                static_cast<unsigned long long>(h.low64));
  return s;
}
std::string hash(std::string_view s) { return hex(XXH3_128bits(s.data(), s.size())); }

/// Ours, and nobody else may write to it.
bool is_private(const struct stat& about) { return about.st_uid == geteuid() && (about.st_mode & (S_IWGRP | S_IWOTH)) == 0; }

/// A file that only this user can have written; else empty.
std::string read_private(const std::string& path) {
  const FileDescriptor fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  struct stat about;
  if (!fd || fstat(fd.get(), &about) != 0 || !S_ISREG(about.st_mode) || !is_private(about)) return {};
  return read_all(fd.get()).value_or("");
}

/// Makes the directory; why it cannot be written, empty when it can.
std::string prepare(const std::string& directory) {
  std::error_code error;
  const auto parent = std::filesystem::path(directory).parent_path();
  if (!parent.empty()) std::filesystem::create_directories(parent, error);
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) return std::strerror(errno);
  struct stat about;
  if (lstat(directory.c_str(), &about) != 0) return std::strerror(errno);
  if (!S_ISDIR(about.st_mode)) return "not a directory";
  if (!is_private(about)) return "others may write to it";
  return access(directory.c_str(), W_OK) == 0 ? "" : std::strerror(errno);
}

}  // namespace

ArtifactCache::ArtifactCache(std::string directory) : directory_(std::move(directory)) {
  const std::string trouble = prepare(directory_);
  writable_ = trouble.empty();
  if (!writable_)
    std::fprintf(stderr, "picograd: compiled kernels are not kept: %s: %s (PICOGRAD_CACHE names another directory)\n",
                 directory_.c_str(), trouble.c_str());
}

std::string ArtifactCache::key(std::initializer_list<std::string_view> parts) {
  std::string all;
  for (std::string_view p : parts) all += std::to_string(p.size()) + ":", all += p;
  return hash(all);
}

std::optional<Artifact> ArtifactCache::get(const std::string& key) const {
  const std::string file = read_private(directory_ + "/" + key);
  // magic, hash of the rest, newline, symbol, newline, bytes
  constexpr size_t kHash = 32;
  if (!file.starts_with(kMagic) || file.size() < kMagic.size() + kHash + 1) return std::nullopt;
  const std::string claimed = file.substr(kMagic.size(), kHash), rest = file.substr(kMagic.size() + kHash + 1);
  const size_t end = rest.find('\n');
  if (hash(key + rest) != claimed || end == rest.npos) return std::nullopt;
  return Artifact{rest.substr(0, end), rest.substr(end + 1), 0};
}

void ArtifactCache::put(const std::string& key, const Artifact& artifact) {
  const std::string rest = artifact.name + "\n" + artifact.bytes;
  // The key is part of the hash: a valid file under another's name is refused too.
  write(key, std::string(kMagic) + hash(key + rest) + "\n" + rest);
}

std::string ArtifactCache::last_compiler(const std::string& directory, const std::string& kind) {
  return read_private(directory + "/" + kind);
}

void ArtifactCache::remember_compiler(const std::string& version, const std::string& kind) {
  if (last_compiler(directory_, kind) != version) write(kind, version);
}

/// Whole or not at all, readers of the same moment included.
void ArtifactCache::write(const std::string& name, const std::string& content) {
  if (!writable_) return;
  const std::string path = directory_ + "/" + name;
  std::string temporary = path + ".XXXXXX";
  const FileDescriptor fd(mkostemp(temporary.data(), O_CLOEXEC));  // mode 0600
  if (fd && write_all(fd.get(), content) && rename(temporary.c_str(), path.c_str()) == 0) return;
  const std::string why = std::strerror(errno);
  if (fd) unlink(temporary.c_str());
  if (writable_.exchange(false))
    std::fprintf(stderr, "picograd: compiled kernels are not kept: %s: %s\n", directory_.c_str(), why.c_str());
}

}  // namespace pg
