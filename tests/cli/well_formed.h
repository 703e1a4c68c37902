#pragma once
// A tiny reader of pages that claim to be well-formed: tags balance, attributes are quoted, entities are XML's own.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace pg {

inline std::string unescaped(std::string_view s) {
  static const std::pair<std::string_view, char> kEntities[] = {
      {"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&#39;", '\''}};
  std::string out;
  while (!s.empty()) {
    char c = s[0];
    size_t n = 1;
    for (const auto& [entity, meant] : kEntities)
      if (s.starts_with(entity)) c = meant, n = entity.size();
    out += c;
    s.remove_prefix(n);
  }
  return out;
}

struct ReadPage {
  std::string error;  // empty: well-formed
  std::multiset<std::string> tags;
  std::vector<std::string> attributes;  // their values
  std::multiset<std::string> ids;
  std::vector<std::string> cells;  // text of the <td>
  std::string text;                // all text between tags
};

class PageReader {
 public:
  explicit PageReader(std::string_view page) : rest_(page) {}

  ReadPage read() {
    while (!rest_.empty() && page_.error.empty()) rest_[0] == '<' ? tag() : text();
    if (page_.error.empty() && !open_.empty()) fail("<" + open_.back() + "> is never closed");
    return page_;
  }

 private:
  void fail(const std::string& why) { page_.error = why + " before: " + std::string(rest_.substr(0, 80)); }
  std::string_view take(size_t n) {
    const std::string_view taken = rest_.substr(0, n);
    rest_.remove_prefix(taken.size());
    return taken;
  }
  /// What a text or an attribute may hold, as it is meant.
  std::string meant(std::string_view raw) {
    if (raw.find('<') != raw.npos) fail("a bare <");
    const std::string result = unescaped(raw);
    for (size_t at = 0; (at = raw.find('&', at)) != raw.npos; ++at) {
      const std::string_view entity = raw.substr(at, raw.find(';', at) - at + 1);
      if (unescaped(entity).size() != 1) fail("a bare &");
    }
    return result;
  }
  void text() {
    const std::string t = meant(take(rest_.find('<')));
    page_.text += t;
    if (std::find(open_.begin(), open_.end(), "td") != open_.end()) page_.cells.back() += t;
  }
  void tag() {
    if (rest_.starts_with("<!DOCTYPE html>")) return void(take(15));
    take(1);
    if (rest_.starts_with("/")) {
      take(1);
      const std::string name(take(rest_.find('>')));
      take(1);
      if (open_.empty() || open_.back() != name) return fail("</" + name + "> closes nothing");
      return open_.pop_back();
    }
    const std::string name(take(rest_.find_first_of(" >/")));
    page_.tags.insert(name);
    while (rest_.starts_with(" ")) attribute();
    const bool closed = rest_.starts_with("/");
    if (closed) take(1);
    if (take(1) != ">") return fail("<" + name + "> does not end");
    if (!closed) open_.push_back(name);
    if (name == "td") page_.cells.emplace_back();
  }
  void attribute() {
    take(1);
    const std::string name(take(rest_.find_first_of("= >")));
    if (take(2) != "=\"") return fail("attribute " + name + " has no quoted value");
    const std::string value = meant(take(rest_.find('"')));
    take(1);
    page_.attributes.push_back(value);
    if (name == "id") page_.ids.insert(value);
    if (name.starts_with("on")) fail("attribute " + name + " is a script");
  }

  std::string_view rest_;
  std::vector<std::string> open_;
  ReadPage page_;
};
inline ReadPage read_page(std::string_view page) { return PageReader(page).read(); }

/// The cells of Markdown's tables without their headings, as they are meant.
inline std::vector<std::string> markdown_cells(std::string_view page) {
  std::vector<std::string> cells;
  std::vector<std::string> before;  // a heading stands before the line of dashes
  while (!page.empty()) {
    const std::string_view line = page.substr(0, page.find('\n'));
    page.remove_prefix(std::min(page.size(), line.size() + 1));
    std::vector<std::string> row;
    std::string cell;
    for (size_t i = 1; line.starts_with("|") && i < line.size(); ++i) {
      if (line[i] == '\\' && i + 1 < line.size())
        cell += line[++i];
      else if (line[i] == '|')
        row.push_back(unescaped(cell.size() >= 2 && cell[0] == ' ' ? cell.substr(1, cell.size() - 2) : cell)), cell.clear();
      else
        cell += line[i];
    }
    if (line.starts_with("|---"))
      before.clear();
    else {
      cells.insert(cells.end(), before.begin(), before.end());
      before = row;
    }
  }
  cells.insert(cells.end(), before.begin(), before.end());
  return cells;
}

}  // namespace pg
