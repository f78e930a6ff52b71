#include "fcm/eval/unreadable.h"

#include <nlohmann/json.hpp>

namespace fcm::eval {

std::vector<std::string> reasons_of_all(const std::vector<loader::BadSample>& mine,
                                        dist::Group& group) {
  nlohmann::json own = nlohmann::json::array();
  for (const loader::BadSample& bad : mine) own.push_back(bad.reason);
  // A reason may contain a file name that is not UTF-8, which dump() would otherwise reject.
  const std::string text_of_own =
      own.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  std::vector<std::string> all;
  for (const std::string& text : dist::gather_texts(group, text_of_own)) {
    for (const nlohmann::json& reason : nlohmann::json::parse(text)) {
      all.push_back(reason.get<std::string>());
    }
  }
  return all;
}

}  // namespace fcm::eval
