#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "model/json.hpp"
#include "refusal.hpp"

using namespace liveness;
using namespace liveness::test;
using Catch::Contains;

namespace {

std::string refused(const std::string& text) {
  return refusal(Status::kModelInvalid, [&] { static_cast<void>(parse_json(text, "text", Status::kModelInvalid)); });
}

}  // namespace

TEST_CASE("JSON gives the values and types that the JSON library gives") {
  const std::vector<std::string> texts{"0",
                                       "-0",
                                       "-1",
                                       "1",
                                       "18446744073709551615",
                                       "18446744073709551616",
                                       "-9223372036854775808",
                                       "-9223372036854775809",
                                       "0.1",
                                       "-0.0",
                                       "1e5",
                                       "1E-5",
                                       "1e+5",
                                       "0.30000000000000004",
                                       "1.7976931348623157e308",
                                       "4.9e-324",
                                       "123456789012345678901234567890",
                                       "true",
                                       "false",
                                       "null",
                                       "\"\"",
                                       "\"a\"",
                                       "\" ~ \"",
                                       R"("\" \\ \/ \b \f \n \r \t")",
                                       R"("\u0041\u00e4\ud83d\ude00")",
                                       "\"\xc3\xa4\"",
                                       "{}",
                                       "[]",
                                       " [ ] ",
                                       "[[],{}]",
                                       "\t{ \"a\" : 1 ,\r\n \"b\" : [ 1 , 2.5 , \"x\" ] }\n",
                                       R"({"":{"":""}})",
                                       R"({"b":1,"a":2})",
                                       R"([1,[2,[3,[4,{"five":[5]}]]]])"};
  for (const std::string& text : texts) {
    INFO(text);
    const Json expected = Json::parse(text);
    const Json found = parse_json(text, "text", Status::kModelInvalid).root;
    CHECK(found == expected);
    CHECK(found.type() == expected.type());
    CHECK(found.dump() == expected.dump());
  }
}

TEST_CASE("what is no JSON is refused with its place") {
  const std::vector<std::string> texts{
      "",           " ",       "{",         "[",         "]",        "}",          "[1",
      "[1,",        "[1,]",    "[,]",       "{\"a\"}",   "{\"a\":}", "{\"a\":1,}", "{a:1}",
      "{1:1}",      "01",      "-",         "+1",        "1.",       ".5",         "1e",
      "1e+",        "0x1",     "1e999",     "nul",       "True",     "nan",        "\"",
      "\"\\\"",     "\"\\x\"", "\"\\u12\"", "\"\n\"",    "\"\x01\"", "\"\xff\"",   "1 2",
      "[] []",      "{} x",    "[1 2]",     "{\"a\" 1}", "'a'",      "// c\n1",    std::string("[\0]", 3),
      "\"\\ud800\""};
  for (const std::string& text : texts) {
    INFO(text);
    CHECK_THROWS_AS(Json::parse(text), Json::exception);
    CHECK_THAT(refused(text), Contains("text:1:") || Contains("text:2:"));
    CHECK_THAT(refused(text), Contains("not valid JSON"));
  }
  CHECK_THAT(refused("{\"a\": 1,\n \"b\": }"), Contains("text:2:7: not valid JSON"));
}

TEST_CASE("keys that occur twice and deep nesting are refused") {
  CHECK_THAT(refused(R"({"a": 1, "a": 2})"), Contains("the key \"a\" occurs twice"));
  CHECK_THAT(refused(R"([{"b": {"c": 1, "d": 1, "c": 2}}])"), Contains("the key \"c\" occurs twice"));
  const std::string most = std::string(32, '[') + std::string(32, ']');
  CHECK(parse_json(most, "text", Status::kModelInvalid).root.is_array());
  CHECK_THAT(refused("[" + most + "]"), Contains("nested deeper than 32 levels"));
  CHECK_THAT(refused(std::string(100000, '[')), Contains("nested deeper than 32 levels"));
}
