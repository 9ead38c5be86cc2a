//! How a token is spelt, and what it is in bytes.

use tokenizers::decoders::DecoderWrapper;

/// Ids above this are refused: no vocabulary is that large, a damaged one can say so.
pub const MAX_VOCABULARY: usize = 1 << 22;

/// How a model spells bytes in its tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// Every byte is one of 256 printable characters (GPT-2).
    ByteLevel,
    /// U+2581 is a space, "<0x41>" is a byte (SentencePiece).
    Metaspace,
    /// "##" continues a word, anything else starts one (BERT).
    WordPiece,
    Plain,
}

impl Spelling {
    pub fn of(decoder: Option<&DecoderWrapper>) -> Self {
        match decoder {
            Some(DecoderWrapper::ByteLevel(_)) => Self::ByteLevel,
            Some(DecoderWrapper::Metaspace(_) | DecoderWrapper::ByteFallback(_) | DecoderWrapper::Replace(_)) => {
                Self::Metaspace
            }
            Some(DecoderWrapper::WordPiece(_)) => Self::WordPiece,
            Some(DecoderWrapper::Sequence(all)) => all
                .get_decoders()
                .iter()
                .map(|one| Self::of(Some(one)))
                .find(|spelling| *spelling != Self::Plain)
                .unwrap_or(Self::Plain),
            _ => Self::Plain,
        }
    }

    /// The bytes of an ordinary token inside a running text.
    pub fn bytes(self, piece: &str) -> Vec<u8> {
        match self {
            Self::ByteLevel => {
                let bytes: Option<Vec<u8>> = piece.chars().map(byte_of_character).collect();
                bytes.unwrap_or_else(|| piece.as_bytes().to_vec())
            }
            Self::Metaspace => match byte_of_name(piece) {
                Some(byte) => vec![byte],
                None => piece.replace('\u{2581}', " ").into_bytes(),
            },
            Self::WordPiece => match piece.strip_prefix("##") {
                Some(rest) => rest.as_bytes().to_vec(),
                None => format!(" {piece}").into_bytes(),
            },
            Self::Plain => piece.as_bytes().to_vec(),
        }
    }
}

/// GPT-2's alphabet: printable Latin-1 stands for itself, the other bytes, in order, for U+0100 on.
pub fn byte_of_character(c: char) -> Option<u8> {
    let code = c as u32;
    match code {
        0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF => Some(code as u8),
        0x100..=0x120 => Some((code - 0x100) as u8),
        0x121..=0x142 => Some((code - 0x121 + 0x7F) as u8),
        0x143 => Some(0xAD),
        _ => None,
    }
}

/// "<0x41>", two hexadecimal digits exactly: what `tokenizers` takes for a byte.
pub fn byte_of_name(piece: &str) -> Option<u8> {
    let digits = piece.strip_prefix("<0x")?.strip_suffix('>')?;
    let two_digits = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    two_digits.then(|| u8::from_str_radix(digits, 16).ok()).flatten()
}

/// One token of the vocabulary, as the tables need it.
#[derive(Clone, Default)]
pub struct Entry {
    pub piece: String,
    /// An added token is its own text, whatever the spelling.
    pub added: bool,
    pub special: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alphabet_has_every_byte_once() {
        let mut seen = [0; 256];
        for code in 0..0x400 {
            if let Some(byte) = char::from_u32(code).and_then(byte_of_character) {
                seen[byte as usize] += 1;
            }
        }
        assert_eq!(seen, [1; 256]);
        let alphabet = tokenizers::pre_tokenizers::byte_level::ByteLevel::alphabet();
        assert!(alphabet.iter().all(|c| byte_of_character(*c).is_some()));
        assert_eq!(byte_of_character('\u{120}'), Some(b' '));
        assert_eq!(byte_of_character('\u{10A}'), Some(b'\n'));
    }

    #[test]
    fn only_two_digits_name_a_byte() {
        assert_eq!(byte_of_name("<0x41>"), Some(0x41));
        assert_eq!(byte_of_name("<0xff>"), Some(0xFF));
        for piece in ["<0x-1>", "<0x+1>", "<0x>", "<0x1>", "<0x123>", "<0xGG>", "0x41", "<0x41"] {
            assert_eq!(byte_of_name(piece), None, "{piece}");
        }
    }
}
