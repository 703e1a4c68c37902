#include "src/cli/report_command.h"

#include <fmt/chrono.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>
#include <ostream>

#include "src/cli/db.h"
#include "src/cli/report.h"
#include "src/cli/report_page.h"
#include "src/cli/roofs.h"
#include "uops/error.h"

namespace pg {

namespace {

void write(const std::string& path, const std::string& text, std::ostream& out) {
  if (path == "-") {
    out << text;
    return;
  }
  errno = 0;
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file)
    throw UserError("cannot write the report to " + path + (errno ? std::string(": ") + std::strerror(errno) : "") +
                    "; -o and --md name where it goes");
}

}  // namespace

void report_command(const ReportOptions& o, Device& device, std::ostream& out) {
  const auto store = Store::open(o.database, OpenMode::ReadOnly, /*strict=*/true);
  const std::string kernel = o.kernel.empty() ? "" : find_kernel(*store, o.kernel).id;
  const std::string date = fmt::format("{:%Y-%m-%d %H:%M UTC}", fmt::gmtime(std::time(nullptr)));
  Report report = gather(*store, {device.info(), device.toolchain(), device.name(), date}, kernel);
  report.no_roofs = "they were not measured (--no-measure)";
  if (o.measure) measure_roofs(report, device);

  const std::string html = o.html.empty() && o.markdown.empty() ? "report.html" : o.html;
  if (!html.empty()) write(html, html_page(report), out);
  if (!o.markdown.empty()) write(o.markdown, markdown_page(report), out);
  if (html == "-" || o.markdown == "-") return;  // nothing between the pages
  for (const std::string& path : {html, o.markdown})
    if (!path.empty())
      out << path << ": " << report.searches.size() << " searches, " << report.measurements << " measurements\n";
}

}  // namespace pg
