#include "models/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "uops/error.h"

namespace pg {
namespace {

struct Descriptor {
  int fd;
  ~Descriptor() { ::close(fd); }
};

}  // namespace

MappedFile map_file(const std::string& path) {
  // O_NONBLOCK: opening a pipe must not wait for a writer.
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) throw UserError(path + ": cannot be opened: " + std::strerror(errno) + "; check the path given with -m");
  Descriptor file{fd};
  struct stat facts {};
  if (::fstat(fd, &facts) != 0) throw UserError(path + ": cannot be examined: " + std::strerror(errno));
  if (!S_ISREG(facts.st_mode)) throw UserError(path + ": is not a regular file; give the path of a model file");
  if (facts.st_size == 0) throw UserError(path + ": at byte 0: the file is empty; download or export the model again");
  size_t size = static_cast<size_t>(facts.st_size);
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (data == MAP_FAILED) throw UserError(path + ": cannot be mapped into memory: " + std::strerror(errno));
  return {{static_cast<const std::byte*>(data), size}, std::shared_ptr<void>(data, [size](void* p) { ::munmap(p, size); })};
}

}  // namespace pg
