"""Texts that tell tokenizers apart: every script, emoji, control characters, runs of spaces, digits, typed markers.

What is not UTF-8 is decoded with errors="replace", as everything that reads text does.
"""

SCRIPTS = [
    "Ünïcödé naïve café résumé", "Ελληνικά Русский Українська", "Привет, мир! Как дела?",
    "العربية مرحبا بالعالم ١٢٣", "עברית שָׁלוֹם", "हिन्दी नमस्ते दुनिया", "বাংলা தமிழ் తెలుగు ಕನ್ನಡ മലയാളം ગુજરાતી ਪੰਜਾਬੀ",
    "ไทย สวัสดีชาวโลก ลาว ខ្មែរ မြန်မာ", "中文 你好，世界！繁體字", "日本語 こんにちは カタカナ ｶﾀｶﾅ", "한국어 안녕하세요 \u1112\u1161\u11ab",
    "ქართული Հայերեն አማርኛ", "ᏣᎳᎩ ᐃᓄᒃᑎᑐᑦ ⵜⴰⵎⴰⵣⵉⵖⵜ", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𐍈 𒀀 𓀀", "İstanbul ıI ß ẞ ﬀ Ǆ ſ", "ＡＢＣ１２３！", "あ" * 50,
]
MARKS = [
    "e\u0301 cafe\u0301 a\u0300\u0323 \u1e69 s\u0323\u0307", "\ufb01\ufb02 \u212b \u00c5 A\u030a \u2126 ﷺ", "A\u0308 \u01d5",
    "\u0301" * 10, "😀😃 👨\u200d👩\u200d👧\u200d👦 🏳️\u200d🌈 👍🏽 🇩🇪 ☺️", "😀" * 30, "∑∫√≠≤≥±∞ αβγ →⇒ ♠♣",
    "\u202eright to left\u202c \u202aLRE\u202c", "\U0010ffff \ufffe \uffff \ufdd0",
]
SPACES = [
    "", " ", "  ", "   ", "\n", "\n\n", "\r\n", "\t", "\t\t x", " a", " a b", "a  b", "a   b", "  leading", "trailing  ", " both ",
    "a\nb", "a\r\nb\r\n", "a\n\nb\n\n\nc", "x \n y", "x\t\ty", "\u00a0nbsp\u00a0", "\u3000ideographic\u3000",
    "\u200bzero\u200b width\u200d", "\ufeffbom", "word\u2028sep\u2029para\u0085nel", "x\x0by\x0cz", " \u00a0 \u2003 ",
    " " * 50, "\n" * 40, " \n" * 20, "\t" * 17, "Hello\u2581world \u2581\u2581x",
]
CONTROLS = ["a\0b", "\0", "\x01\x02\x1b[31m\x7f", "\x80\x9f", "\x1c\x1d\x1e\x1f", "Ġhello Ċ", "<0x41> <0x0A> <0x-1>"]
DIGITS = [
    "1 12 123 1234 12345 123456 1234567890", "3.14159 1,000,000 1e10 0x1F -5", "٠١٢٣٤٥ ४५६ 𝟘𝟙𝟚 ①②③ ½ Ⅷ", "价格是1234元",
    "0" * 100, "1234567890" * 10, "123abc456def", "1'000",
]
ENGLISH = [
    "a", "Hello, world!", "it's I'm you're we've he'll she'd THEY'RE O'Neil's 'tis", "don’t won’t", "'s 't 're", "DON'T we'LL I'D",
    "The quick brown fox jumps over the lazy dog. " * 5, "camelCase snake_case SCREAMING_CASE kebab-case HTTPServer",
    "!!!???...---___***", "@#$%^&*()[]{}|\\/~`", '"quoted" “smart” «guillemets»', "a" * 200, "-" * 80, "=" * 65, "a.b.c...d",
]
CODE = [
    "if (x == 1) {\n\treturn x++;\n}\n", "def f(a, b):\n    return a  +  b\n\n\n", '<html><body class="x">&amp;</body></html>',
    "https://example.com/a?b=c&d=e#f user@example.com", "SELECT * FROM t WHERE a='b' AND c<>\"d\"; -- x",
    '{"a": [1, 2, {"b": null}], "c": "\\u00e9"}', "$\\frac{a}{b}$ \\alpha",
]
MARKERS = [
    "<s> </s> <unk> <pad>", "<|endoftext|><|im_start|>user<|im_end|>", "<|begin_of_text|><|eot_id|><|start_header_id|>",
    "[INST] hi [/INST] [CLS] [SEP] [MASK]", "<bos><eos><start_of_turn>user<end_of_turn>", "<｜begin▁of▁sentence｜><｜User｜>",
    "<think>x</think> <tool_call>", "<|im_start|", "|im_end|>", " <|im_end|> ", "<|im_end|><|im_end|>", "[TOOL_CALLS]</s>x",
]
NOT_UTF8 = [b"\xff\xfe", b"a\xc3", b"\xe2\x82z", b"\xed\xa0\x80", b"\xf0\x9f\x98", b"\xc0\xafx", b"\xf4\x90\x80\x80"]

TEXTS = [t.encode() for t in SCRIPTS + MARKS + SPACES + CONTROLS + DIGITS + ENGLISH + CODE + MARKERS] + NOT_UTF8
