#include "cli/key_parser.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace quern::cli {
namespace {

// Characters as they are, commands as <bytes without ESC>, pastes as {text}, signals as !i !s !q.
std::string keys_of(KeyParser& parser) {
  std::string out;
  while (const auto key = parser.next()) {
    switch (key->kind) {
      case KeyKind::character:
        if (key->character < 0x80)
          out += static_cast<char>(key->character);
        else
          out += "U+" + std::to_string(static_cast<uint32_t>(key->character)) + ";";
        break;
      case KeyKind::command:
        out += "<" + key->text.substr(1) + ">";
        break;
      case KeyKind::paste:
        out += "{" + key->text + "}";
        break;
      case KeyKind::interrupt:
        out += "!i";
        break;
      case KeyKind::suspend:
        out += "!s";
        break;
      case KeyKind::quit:
        out += "!q";
        break;
    }
  }
  return out;
}

std::string parse(std::string_view bytes, bool vi = false) {
  KeyParser parser({}, vi);
  for (const char byte : bytes) parser.feed(static_cast<uint8_t>(byte));
  return keys_of(parser);
}

using namespace std::string_literals;

// Nothing of these may be left, between text before and behind.
constexpr std::string_view kNoMeaning[] = {
    // F1 to F24: xterm, VT220, rxvt, Linux console
    "\033OP",
    "\033OQ",
    "\033OR",
    "\033OS",
    "\033[11~",
    "\033[12~",
    "\033[13~",
    "\033[14~",
    "\033[15~",
    "\033[17~",
    "\033[18~",
    "\033[19~",
    "\033[20~",
    "\033[21~",
    "\033[23~",
    "\033[24~",
    "\033[25~",
    "\033[26~",
    "\033[28~",
    "\033[29~",
    "\033[31~",
    "\033[32~",
    "\033[33~",
    "\033[34~",
    "\033[[A",
    "\033[[B",
    "\033[[C",
    "\033[[D",
    "\033[[E",
    "\033[1;2P",
    "\033[1;2Q",
    "\033[1;2R",
    "\033[1;2S",
    "\033[15;2~",
    "\033[24;6~",
    "\033[23^",
    "\033[23@",
    "\033O2P",
    "\033O1;5P",
    // insert, page keys, keys of the keypad
    "\033[2~",
    "\033[5~",
    "\033[6~",
    "\033[5;5~",
    "\033[6;3~",
    "\033OM",
    "\033Oj",
    "\033Ok",
    "\033Op",
    "\033Oy",
    "\033OX",
    "\033OE",
    "\033[E",
    "\033[G",
    "\033[Z",
    "\033[1;2Z",
    // arrows and others with modifiers: xterm, old xterm, rxvt
    "\033[1;2A",
    "\033[1;3B",
    "\033[1;5C",
    "\033[1;6D",
    "\033[1;9A",
    "\033[1;5H",
    "\033[1;2F",
    "\033[3;5~",
    "\033[3;2~",
    "\033[5C",
    "\033[2D",
    "\033O5C",
    "\033O5D",
    "\033[a",
    "\033[b",
    "\033Oa",
    "\033Od",
    "\033[3^",
    "\033[7^",
    "\033[8@",
    // Alt and keys
    "\033a",
    "\033x",
    "\033Z",
    "\033.",
    "\0331",
    "\033 ",
    "\033~",
    "\033\r",
    "\033\t",
    "\033\xc3\xa9",
    "\033\xf0\x9f\x99\x82",
    "\033\033[15~",
    "\033\033[1;5A",
    // reports: cursor, status, device, window, modes, colours, focus
    "\033[12;40R",
    "\033[?12;40R",
    "\033[0n",
    "\033[3n",
    "\033[?1;2c",
    "\033[?64;1;2;6;9;15;22c",
    "\033[>41;354;0c",
    "\033[=1c",
    "\033[8;24;80t",
    "\033[4;600;800t",
    "\033[?2026;2$y",
    "\033[2004;1$y",
    "\033[I",
    "\033[O",
    "\033[?997;1n",
    "\033[?62u",
    // the mouse
    "\033[M !!",
    "\033[M#\xa1\xff",
    "\033[<0;10;20M",
    "\033[<0;10;20m",
    "\033[32;10;20M",
    // kitty and modifyOtherKeys
    "\033[97u",
    "\033[97;5u",
    "\033[97;5:3u",
    "\033[97:65;2;65u",
    "\033[13;2u",
    "\033[27u",
    "\033[57399u",
    "\033[1;1:3A",
    "\033[27;5;13~",
    "\033[27;2;65~",
    "\033[1;129D",
    "\033[?1u",
    // strings
    "\033]0;a title\a",
    "\033]0;a title\033\\",
    "\033]11;rgb:0000/0000/0000\033\\",
    "\033]10;rgb:ffff/ffff/ffff\a",
    "\033]52;c;aGVsbG8=\a",
    "\033]8;;http://a.b\033\\",
    "\033]4;1;rgb:cd/00/00\xc2\x9c",
    "\033P>|xterm(390)\033\\",
    "\033P1$r0m\033\\",
    "\033P1+r544e=787465726d\033\\",
    "\033P!|00000000\033\\",
    "\033_Gi=31;OK\033\\",
    "\033^private\033\\",
    "\033Xstring\033\\",
    "\033]0;\xc3\x9c\xc2\xa9 title\a",
    // C1 as one character, in UTF-8 and bare
    "\xc2\x9b"
    "15~",
    "\xc2\x9b"
    "1;5A",
    "\x9b"
    "15~",
    "\xc2\x9d"
    "0;title\a",
    "\xc2\x90"
    "1$r\033\\",
    "\xc2\x8f"
    "P",
    "\xc2\x9f"
    "G\xc2\x9c",
    "\xc2\x85",
    "\xc2\x9c",
    "\x84",
    // cut short by CAN and by the next sequence
    "\033[15\030",
    "\033]0;ti\030",
    "\033[1\033[15~",
    "\033]0;ti\033[15~",
    "\033[201~",
    // not UTF-8, the placeholder
    "\xff",
    "\xc3",
    "\xe2\x82",
    "\xc0\xaf",
    "\xed\xa0\x80",
    "\xf4\x90\x80\x80",
    "\x1f",
};

TEST(KeyParser, TakesWholeWhatHasNoMeaning) {
  for (const std::string_view bytes : kNoMeaning) {
    EXPECT_EQ(parse("ab" + std::string(bytes) + "cd"), "abcd") << testing::PrintToString(bytes);
  }
}

TEST(KeyParser, KnowsWhereNothingIsMissing) {
  for (const std::string_view bytes : kNoMeaning) {
    KeyParser parser;
    std::string text = "ab" + std::string(bytes) + "cd";
    for (size_t i = 0; i < text.size(); ++i) {
      parser.feed(static_cast<uint8_t>(text[i]));
      if (i >= 2 && i + 2 < text.size()) continue;
      EXPECT_FALSE(parser.incomplete()) << text;
    }
  }
}

struct Row {
  std::string_view bytes, keys;
};
constexpr Row kMeaning[] = {
    {"abc", "abc"},
    {"\001\004\005\r\n\t\177", "\001\004\005\r\n\t\177"},
    {"gr\xc3\xb6\xc3\x9f"
     "e",
     "grU+246;U+223;e"},
    {"\xf0\x9f\x99\x82", "U+128578;"},
    {"\xe4\xbd\xa0\xe5\xa5\xbd", "U+20320;U+22909;"},
    {"\033[A\033[B\033[C\033[D", "<[A><[B><[C><[D>"},
    {"\033OA\033OB\033OC\033OD", "<[A><[B><[C><[D>"},
    {"\033[H\033[1~\033[7~\033OH", "<[H><[H><[H><[H>"},
    {"\033[F\033[4~\033[8~\033OF", "<[F><[F><[F><[F>"},
    {"\033[3~", "<[3~>"},
    {"\033[1;1A\033[1D", "<[A><[D>"},
    {"\xc2\x9b"
     "A",
     "<[A>"},
    {"\033b\033f\033d\033\177", "<b><f><d><\177>"},
    {"\003\032\034", "!i!s!q"},
    {"\033\003", "!i"},
    {"\033[1\003", "!i"},
    {"\033]0;ti\003x", "!ix"},
    {"\033]what is typed\rx", "\rx"},  // Alt and a bracket
    {"\033[1\rx", "\rx"},
    // pastes
    {"\033[200~one\033[201~", "{one}"},
    {"a\033[200~one\rtwo\033[201~b\r", "a{one\ntwo}b\r"},
    {"\033[200~a\r\nb\nc\r\rd\033[201~", "{a\nb\nc\n\nd}"},
    {"\033[200~\ta\tb\033[201~", "{\ta\tb}"},
    {"\033[200~\001\002\003\004\b\025\027\032\034\037\177x\033[201~", "{x}"},
    {"\033[200~\033[31mred\033[0m\033[A\033(B!\033[201~", "{red!}"},
    {"\033[200~\033]8;;http://a\033\\link\033]8;;\033\\\033[201~", "{link}"},
    {"\033[200~\033]cut\033[201~x", "{}x"},
    {"\033[200~\033[M !!\033[201~", "{ !!}"},
    {"\033[200~a\033\033[201~x", "{a}x"},
    {"\033[200~\033[200~a\033[201~x", "{a}x"},
    {"\033[200~gr\xc3\xb6\xf0\x9f\x99\x82\xff\033[201~", "{gr\xc3\xb6\xf0\x9f\x99\x82}"},
    {"\033[200~\xc2\x9b"
     "31mx\033[201~",
     "{x}"},
    {"\033[200~\033[201~x", "{}x"},
    {"\033[200~\033x \033OPy\033[201~", "{ y}"},
};

TEST(KeyParser, Keys) {
  for (const auto& [bytes, keys] : kMeaning)
    EXPECT_EQ(parse(bytes), keys) << testing::PrintToString(bytes);
}

TEST(KeyParser, SilenceEndsWhatIsNotComplete) {
  constexpr Row kRows[] = {
      {"a\033", "ab"},     {"a\033[", "ab"},           {"a\033[1;", "ab"},
      {"a\033O", "ab"},    {"a\033]0;x", "ab"},        {"a\033]0;x\033", "ab"},
      {"a\033[M!", "ab"},  {"a\033[[", "ab"},          {"a\xc3", "ab"},
      {"a\033[3$", "ab"},  {"\033[200~one", "{one}b"}, {"\033[200~one\033[2", "{one}b"},
      {"a\033\xc3", "ab"},
  };
  for (const auto& [bytes, keys] : kRows) {
    KeyParser parser;
    for (const char byte : bytes) parser.feed(static_cast<uint8_t>(byte));
    EXPECT_TRUE(parser.incomplete()) << testing::PrintToString(bytes);
    parser.silence();
    EXPECT_FALSE(parser.incomplete());
    parser.feed('b');
    EXPECT_EQ(keys_of(parser), keys) << testing::PrintToString(bytes);
  }
}

TEST(KeyParser, InViTheEscapeKeyIsAKey) {
  EXPECT_EQ(parse("a\033b", true), "a\033b");
  EXPECT_EQ(parse("a\033[Ab", true), "a<[A>b");
  KeyParser parser({}, true);
  parser.feed(0x1b);
  parser.silence();
  EXPECT_EQ(keys_of(parser), "\033");
}

TEST(KeyParser, TheTerminalSaysWhichKeysAreSignals) {
  KeyParser parser({.interrupt = 11, .suspend = 0, .quit = 28});
  for (const uint8_t byte : {3, 11, 26, 0}) parser.feed(byte);
  EXPECT_EQ(keys_of(parser), "\003!i\032"s + '\0');
}

}  // namespace
}  // namespace quern::cli
