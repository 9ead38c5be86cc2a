//! The pre-tokenizers that tokenizer.ggml.pre names: how a byte-level BPE cuts text before merging.
//!
//! The names are llama.cpp's. The patterns are those of the original tokenizer.json files, for the regex
//! engine those were written for, so that the cuts are the original's.

use crate::error::{Error, Result};
use tokenizers::normalizers::{NormalizerWrapper, NFC};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::punctuation::Punctuation;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::SplitDelimiterBehavior::{Contiguous, Isolated};

enum Step {
    /// Every match is a piece of its own.
    Cut(&'static str),
    /// Every digit (any Unicode number) is a piece of its own.
    DigitsOneByOne,
    DigitRuns,
    PunctuationRuns,
    /// GPT-2's pattern, then bytes become characters.
    Gpt2,
    /// Bytes become characters.
    Bytes,
}
use Step::*;

pub struct PreTokenizer {
    names: &'static [&'static str],
    steps: &'static [Step],
    /// The original normalises to NFC first.
    pub nfc: bool,
    /// A piece that is a token is taken whole, whatever the merges say.
    pub ignore_merges: bool,
    /// Holds where the file does not say.
    pub add_bos: bool,
    /// A separator (EOS where there is none) ends a text.
    pub add_separator: bool,
}

const PLAIN: PreTokenizer =
    PreTokenizer { names: &[], steps: &[], nfc: false, ignore_merges: false, add_bos: false, add_separator: false };

const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const JAIS2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S)|\s{64}(?!\S)|\s{32}(?!\S)|\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s{1}";
const QWEN2: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN35: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const MINICPM5: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const TEKKEN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const GPT4O: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const YOUTU_SCRIPTS: &str = r"[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥぀-ゟ゠-ヿ]+";
const YOUTU: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const KIMI_K2: &str = r"[\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const BAILING: &str =
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+";
const SEED_CODER: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+";
const EXAONE_MOE: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+";
const BLOOM: &str = r" ?[^(\s|[.,!?…。，、।۔،])]+";
// All cased letters of an older Unicode; those that NFC would change are written by their code points.
const DEEPSEEK_LETTERS: &str = r"\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝ\x{1F5F}-\x{1F7D}ᾀ-ᾴᾶ-ᾼ\x{1FBE}ῂ-ῄῆ-ῌ\x{1FD0}-\x{1FD3}\x{1FD6}-\x{1FDB}ῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤ\x{2126}ℨ\x{212A}-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+";
const DEEPSEEK_PUNCTUATION: &str = r"\s?[!-/:-~！-／：-～‘-‟　-。]+";
const DEEPSEEK_CJK: &str = r"[一-龥ࠀ-一가-퟿]+";
const DEEPSEEK3_CJK: &str = r"[一-龥぀-ゟ゠-ヿ]+";
const DEEPSEEK3: &str = r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"##;

static TABLE: &[PreTokenizer] = &[
    PreTokenizer {
        names: &["", "default", "falcon"],
        steps: &[PunctuationRuns, Gpt2, DigitRuns, Cut("[0-9][0-9][0-9]")],
        ..PLAIN
    },
    PreTokenizer {
        names: &[
            "llama3",
            "llama-v3",
            "llama-bpe",
            "falcon3",
            "falcon-h1",
            "pixtral",
            "midm-2.0",
            "lfm2",
            "jina-v5-nano",
        ],
        steps: &[Cut(LLAMA3), Bytes],
        ignore_merges: true,
        add_bos: true,
        ..PLAIN
    },
    PreTokenizer { names: &["dbrx", "smaug-bpe", "chatglm-bpe", "glm4"], steps: &[Cut(LLAMA3), Bytes], ..PLAIN },
    PreTokenizer {
        names: &["qwen2", "deepseek-r1-qwen", "megrez", "kormo", "f2llmv2"],
        steps: &[Cut(QWEN2), Bytes],
        nfc: true,
        ..PLAIN
    },
    PreTokenizer { names: &["qwen35"], steps: &[Cut(QWEN35), Bytes], nfc: true, ..PLAIN },
    PreTokenizer { names: &["stablelm2", "hunyuan", "solar-open", "grok-2"], steps: &[Cut(QWEN2), Bytes], ..PLAIN },
    PreTokenizer { names: &["laguna"], steps: &[Cut(r"[^\n]+|[\n]+"), Cut(QWEN2), Bytes], ..PLAIN },
    PreTokenizer {
        names: &["smollm", "starcoder", "refact", "codeshell", "exaone", "minerva-7b", "mellum2"],
        steps: &[DigitsOneByOne, Gpt2],
        ..PLAIN
    },
    PreTokenizer { names: &["command-r"], steps: &[DigitsOneByOne, Gpt2], nfc: true, ..PLAIN },
    PreTokenizer {
        names: &[
            "gpt-2",
            "phi-2",
            "mpt",
            "olmo",
            "jais",
            "jina-es",
            "jina-de",
            "jina-v2-es",
            "jina-v2-de",
            "gigachat",
            "a.x-4.0",
            "mellum",
            "modern-bert",
            "exaone4",
            "trillion",
            "granite-docling",
        ],
        steps: &[Gpt2],
        ..PLAIN
    },
    PreTokenizer {
        names: &["jina-v1-en", "jina-v2-code", "roberta-bpe"],
        steps: &[Gpt2],
        add_separator: true,
        ..PLAIN
    },
    PreTokenizer {
        names: &["deepseek-llm"],
        steps: &[
            Cut(r"[\r\n]"),
            Cut(DEEPSEEK_LETTERS),
            Cut(DEEPSEEK_PUNCTUATION),
            Cut(r"\s+$"),
            Cut(DEEPSEEK_CJK),
            DigitsOneByOne,
            Bytes,
        ],
        ..PLAIN
    },
    PreTokenizer {
        names: &["deepseek-coder"],
        steps: &[Cut(r"[\r\n]"), Cut(r"\s?\p{L}+"), Cut(r"\s?\p{P}+"), Cut(DEEPSEEK_CJK), DigitsOneByOne, Bytes],
        ..PLAIN
    },
    PreTokenizer {
        names: &["deepseek-v3", "hunyuan-dense", "joyai-llm"],
        steps: &[Cut(r"\p{N}{1,3}"), Cut(DEEPSEEK3_CJK), Cut(DEEPSEEK3), Bytes],
        ..PLAIN
    },
    PreTokenizer { names: &["bloom", "poro-chat", "gpt3-finnish"], steps: &[Cut(BLOOM), Bytes], ..PLAIN },
    PreTokenizer { names: &["viking"], steps: &[Cut(BLOOM), DigitsOneByOne, Bytes], ..PLAIN },
    PreTokenizer { names: &["tekken"], steps: &[Cut(TEKKEN), Bytes], ignore_merges: true, add_bos: true, ..PLAIN },
    PreTokenizer {
        names: &["gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"],
        steps: &[Cut(GPT4O), Bytes],
        ..PLAIN
    },
    PreTokenizer { names: &["granite-embed-multi-97m"], steps: &[Cut(GPT4O), Bytes], ignore_merges: true, ..PLAIN },
    PreTokenizer {
        names: &["tiny_aya", "cohere2moe"],
        steps: &[Cut(r"\d{1,3}(?=(?:\d{3})*\b)"), Cut(GPT4O), Bytes],
        ..PLAIN
    },
    PreTokenizer { names: &["kimi-k2"], steps: &[Cut(KIMI_K2), Bytes], ..PLAIN },
    PreTokenizer { names: &["superbpe"], steps: &[Cut(r"\p{N}+"), Cut(r"(?=(\d{3})+(?!\d))"), Bytes], ..PLAIN },
    PreTokenizer { names: &["bailingmoe", "bailingmoe2", "llada-moe"], steps: &[Cut(BAILING), Bytes], ..PLAIN },
    PreTokenizer { names: &["seed-coder"], steps: &[Cut(SEED_CODER), Bytes], ..PLAIN },
    PreTokenizer { names: &["exaone-moe"], steps: &[Cut(EXAONE_MOE), Bytes], ..PLAIN },
    PreTokenizer { names: &["jais-2"], steps: &[Cut(JAIS2), Bytes], ..PLAIN },
    PreTokenizer {
        names: &["minicpm5"],
        steps: &[Cut(r"\p{N}{1,3}"), Cut(MINICPM5), Bytes],
        ignore_merges: true,
        ..PLAIN
    },
    PreTokenizer { names: &["youtu"], steps: &[Cut(YOUTU_SCRIPTS), Cut(YOUTU), Bytes], ignore_merges: true, ..PLAIN },
    PreTokenizer {
        names: &["chameleon"],
        steps: &[
            Cut("<sentinel:[0-9]+>"),
            Cut("(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z"),
            Cut(r"([\t\n]|    |  )"),
            DigitsOneByOne,
            Cut(r"[\p{P}!-/:-@\[-`{-~]"),
            Gpt2,
        ],
        add_bos: true,
        ..PLAIN
    },
];

pub fn find(name: &str) -> Result<&'static PreTokenizer> {
    TABLE.iter().find(|row| row.names.contains(&name)).ok_or_else(|| {
        let known: Vec<&str> = TABLE.iter().flat_map(|row| row.names).copied().filter(|n| !n.is_empty()).collect();
        let shown: String = name.chars().take(64).collect();
        Error::unsupported(format!("pre-tokenizer \"{shown}\" is not known; known are {}", known.join(", ")))
    })
}

impl Step {
    fn build(&self) -> Result<PreTokenizerWrapper> {
        Ok(match self {
            Cut(pattern) => Split::new(SplitPattern::Regex((*pattern).to_owned()), Isolated, false)
                .map_err(|e| Error::internal(format!("pattern {pattern}: {e}")))?
                .into(),
            DigitsOneByOne => Digits::new(true).into(),
            DigitRuns => Digits::new(false).into(),
            PunctuationRuns => Punctuation::new(Contiguous).into(),
            Gpt2 => ByteLevel::new(false, true, true).into(),
            Bytes => ByteLevel::new(false, true, false).into(),
        })
    }
}

impl PreTokenizer {
    pub fn build(&self) -> Result<PreTokenizerWrapper> {
        let steps: Result<Vec<PreTokenizerWrapper>> = self.steps.iter().map(Step::build).collect();
        Ok(Sequence::new(steps?).into())
    }

    pub fn normalizer(&self) -> Option<NormalizerWrapper> {
        self.nfc.then(|| NFC.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_builds_and_every_name_stands_once() {
        let mut names: Vec<&str> = TABLE.iter().flat_map(|row| row.names).copied().collect();
        for row in TABLE {
            row.build().unwrap();
        }
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn an_unknown_name_lists_the_known() {
        let error = find("no-such").err().unwrap();
        assert_eq!(error.code, crate::error::Code::Unsupported);
        assert!(error.message.contains("smollm"));
    }
}
