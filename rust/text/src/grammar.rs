//! Constrained decoding by llguidance: grammars compiled under limits, and the state of one sequence in one.

use crate::error::{Code, Error, Result};
use crate::grammar_notes::Notes;
use crate::grammar_schema;
use crate::grammar_tokens::Tokens;
use crate::grammar_tools;
use crate::tokenizer::Tokenizer;
use llguidance::api::TopLevelGrammar;
use llguidance::earley::SlicedBiasComputer;
use llguidance::toktrie::{InferenceCapabilities, SimpleVob, TokEnv, TokenId};
use llguidance::{Matcher, ParserFactory};
use serde_json::json;
use std::sync::{Arc, Mutex};

/// Regular expressions, Lark grammars and lists of choices; schemas have their own.
const MAX_CHOICES_BYTES: usize = 256 << 10;
const MAX_LARK_BYTES: usize = 32 << 10;
const MAX_REGEX_BYTES: usize = 16 << 10;
const MAX_CHOICES: usize = 10_000;
/// Compiling recurses over the schema or grammar; a thread of its own gives it room whatever the caller's has.
const COMPILE_STACK_BYTES: usize = 256 << 20;
/// Some 1.5 kB each, for every sequence.
const MAX_LEXER_STATES: usize = 50_000;
const MAX_MESSAGE_CHARACTERS: usize = 400;
/// Tokens read on trial when a grammar is compiled: one that grows without bound fails there, not in an answer.
const TRIAL_TOKENS: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    JsonObject,
    JsonSchema,
    Regex,
    Lark,
    Choice,
    Tools,
}

impl Kind {
    pub fn of(value: i32) -> Option<Self> {
        const KINDS: [Kind; 6] =
            [Kind::JsonObject, Kind::JsonSchema, Kind::Regex, Kind::Lark, Kind::Choice, Kind::Tools];
        KINDS.get(usize::try_from(value).ok()?).copied()
    }
}

/// One per vocabulary.
pub struct Engine {
    tokens: Arc<Tokens>,
    factory: ParserFactory,
}

/// The state of a grammar before any token.
pub struct Grammar {
    fresh: Mutex<Matcher>,
    tokens: Arc<Tokens>,
    /// Control tokens the grammar names; no other is ever allowed but the end.
    control: Arc<SimpleVob>,
    /// What of the text an answer is not held to, a sentence each.
    notes: Vec<String>,
}

/// One sequence.
pub struct State {
    matcher: Matcher,
    tokens: Arc<Tokens>,
    control: Arc<SimpleVob>,
    /// Tokens read, and of those the ends read after the grammar had stopped.
    read: usize,
    after_stop: usize,
}

/// Words of llguidance's messages by which the kind of error is known.
const SIGNS: [(&str, Code); 18] = [
    ("panic:", Code::Internal),
    ("fuel", Code::Limit),
    ("too large", Code::Limit),
    ("too big", Code::Limit),
    ("too many", Code::Limit),
    ("omplex", Code::Limit),
    ("too deeply", Code::Limit),
    ("limit", Code::Limit),
    ("stack level", Code::Limit),
    ("Unsatisfiable", Code::Invalid),
    ("not supported", Code::Unsupported),
    ("only supported", Code::Unsupported),
    ("Unimplemented keys", Code::Unsupported),
    ("another document", Code::Unsupported),
    ("circular references", Code::Unsupported),
    ("not disjoint", Code::Unsupported),
    ("can't determine", Code::Unsupported),
    ("Unable to determine", Code::Unsupported),
];

fn error_of(kind: Kind, message: &str) -> Error {
    let end = ["\n<state>", "\n<backtrace>", "\n<non-verbose/>"].iter().filter_map(|mark| message.find(mark)).min();
    let mut message = message[..end.unwrap_or(message.len())].trim();
    if message.contains("not present in a registry") {
        message = "JSON schema keyword \"$ref\": leads to another document; put what it names into $defs";
    }
    let code = SIGNS.iter().find(|(sign, _)| message.contains(sign)).map_or(Code::Invalid, |(_, code)| *code);
    // oneOf is refused unless its options are seen to exclude each other.
    let text = if message.contains("oneOf constraints") {
        "JSON schema keyword \"oneOf\": options that may hold together; say anyOf, or tell them apart by a constant"
    } else if message.contains("NoExtensionBias") {
        "nothing satisfies it"
    } else {
        message
    };
    let what = match kind {
        Kind::JsonObject | Kind::JsonSchema => "JSON schema",
        Kind::Regex => "regular expression",
        Kind::Lark => "Lark grammar",
        Kind::Choice => "choices",
        Kind::Tools => "tools",
    };
    let text: String = text.chars().take(MAX_MESSAGE_CHARACTERS).collect();
    Error { code, message: if text.contains(what) { text } else { format!("{what}: {text}") } }
}

fn bounded(text: &str, most: usize, what: &str) -> Result<()> {
    if text.len() > most {
        return Err(Error::limit(format!("{what} of {} bytes, at most {most}", text.len())));
    }
    Ok(())
}

fn choice_lark(text: &str) -> Result<String> {
    bounded(text, MAX_CHOICES_BYTES, "choices")?;
    let choices: Vec<String> = serde_json::from_str(text).map_err(|e| Error::invalid(format!("choices: {e}")))?;
    if choices.is_empty() || choices.len() > MAX_CHOICES {
        return Err(Error::invalid(format!("{} choices, from 1 to {MAX_CHOICES}", choices.len())));
    }
    let options: Vec<String> = choices.iter().filter(|c| !c.is_empty()).map(|c| grammar_tools::quoted(c)).collect();
    if options.is_empty() {
        return Ok("start: \"\"\n".to_owned());
    }
    let empty = if options.len() < choices.len() { "?" } else { "" };
    Ok(format!("start: CHOICE{empty}\nCHOICE: {}\n", options.join("\n  | ")))
}

/// Schemas inside a Lark grammar are held to the same rules as others.
fn checked_lark(text: &str, notes: &mut Notes) -> Result<String> {
    const MARK: &str = "%json";
    bounded(text, MAX_LARK_BYTES, "a Lark grammar")?;
    if text.contains("allow_invalid_utf8") {
        return Err(Error::unsupported("Lark grammar: allow_invalid_utf8"));
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(MARK) {
        let (before, after) = rest.split_at(start + MARK.len());
        out.push_str(before);
        grammar_schema::check_nesting(after, "a Lark grammar")?;
        let mut values = serde_json::Deserializer::from_str(after).into_iter();
        let schema = match values.next() {
            Some(Ok(schema)) => schema,
            Some(Err(e)) => return Err(Error::invalid(format!("Lark grammar: after %json: {e}"))),
            None => return Err(Error::invalid("Lark grammar: nothing after %json")),
        };
        out.push_str(&format!(" {} ", grammar_schema::prepare(schema, false, notes)?));
        rest = &after[values.byte_offset()..];
    }
    out.push_str(rest);
    Ok(out)
}

/// A regular expression matches the whole answer: anchors at its ends change nothing.
fn whole_regex(text: &str) -> Result<&str> {
    bounded(text, MAX_REGEX_BYTES, "a regular expression")?;
    if text.contains("<stop>") {
        return Err(Error::unsupported("regular expression: a group named stop"));
    }
    Ok(text)
}

/// The first tokens of an answer, the lowest allowed one each time.
fn try_out(grammar: &Grammar) -> Result<()> {
    let mut state = grammar.state()?;
    let mut bits = vec![0; state.tokens.trie().vocab_size() / 32 + 1];
    for _ in 0..TRIAL_TOKENS {
        state.mask(&mut bits)?;
        let Some(word) = bits.iter().position(|word| *word != 0) else { break };
        state.consume((word * 32) as i32 + bits[word].trailing_zeros() as i32)?;
        if state.is_stopped() {
            break;
        }
    }
    Ok(())
}

impl Engine {
    pub fn new(tokenizer: Arc<Tokenizer>, ends: &[i32]) -> Result<Self> {
        let tokens = Arc::new(Tokens::new(tokenizer, ends)?);
        let environment: TokEnv = tokens.clone();
        let capabilities = InferenceCapabilities { ff_tokens: true, ..Default::default() };
        let mut factory = ParserFactory::new(&environment, capabilities, &SlicedBiasComputer::general_slices())
            .map_err(|e| Error::internal(e.to_string()))?;
        factory.quiet();
        let limits = factory.limits_mut();
        limits.max_lexer_states = MAX_LEXER_STATES;
        limits.verbose_errors = false;
        Ok(Self { tokens, factory })
    }

    /// The control tokens a Lark grammar names: by text, or any if it names tokens by number.
    fn named_control(&self, lark: &str) -> SimpleVob {
        let by_number = lark.contains("<[");
        let mut named = self.tokens.trie().alloc_token_set();
        self.tokens.control().iter_set_entries(|id| {
            let piece = String::from_utf8_lossy(self.tokens.piece(id));
            if by_number || (!piece.is_empty() && lark.contains(piece.as_ref())) {
                named.allow_token(id as TokenId);
            }
        });
        named
    }

    fn build(&self, kind: Kind, text: &str, compact: bool) -> Result<Grammar> {
        let nothing = || self.tokens.trie().alloc_token_set();
        let lark = |lark: String| (self.named_control(&lark), TopLevelGrammar::from_lark(lark));
        let schema = |schema| (nothing(), TopLevelGrammar::from_json_schema(schema));
        let mut notes = Notes::default();
        let (control, grammar) = match kind {
            Kind::JsonObject => schema(grammar_schema::prepare(json!({ "type": "object" }), compact, &mut notes)?),
            Kind::JsonSchema => schema(grammar_schema::prepare(grammar_schema::parse(text)?, compact, &mut notes)?),
            Kind::Regex => (nothing(), TopLevelGrammar::from_regex(whole_regex(text)?)),
            Kind::Lark => lark(checked_lark(text, &mut notes)?),
            Kind::Choice => (nothing(), TopLevelGrammar::from_lark(choice_lark(text)?)),
            Kind::Tools => lark(grammar_tools::parse(text)?.lark(&self.tokens, compact, &mut notes)?),
        };
        let parser = self.factory.create_parser(grammar).map_err(|e| error_of(kind, &format!("{e:#}")))?;
        let matcher = Matcher::new(Ok(parser));
        let grammar = Grammar {
            fresh: Mutex::new(matcher),
            tokens: self.tokens.clone(),
            control: Arc::new(control),
            notes: notes.into_texts(),
        };
        try_out(&grammar).map_err(|e| error_of(kind, &e.message))?;
        Ok(grammar)
    }

    pub fn compile(&self, kind: Kind, text: &str, compact: bool) -> Result<Grammar> {
        let build = || crate::abi::guarded(|| self.build(kind, text, compact));
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().stack_size(COMPILE_STACK_BYTES).spawn_scoped(scope, build);
            let thread = thread.map_err(|e| Error::limit(format!("no thread to compile a grammar: {e}")))?;
            thread.join().unwrap_or_else(|_| Err(Error::internal("the compiling thread died")))
        })
    }
}

impl Grammar {
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    pub fn state(&self) -> Result<State> {
        // The lexer's tables grow as text is read: a deep copy keeps one sequence's growth its own.
        let fresh = self.fresh.lock().map_err(|_| Error::internal("a grammar was left half copied"))?;
        Ok(State {
            matcher: fresh.deep_clone(),
            tokens: self.tokens.clone(),
            control: self.control.clone(),
            read: 0,
            after_stop: 0,
        })
    }
}

fn failed(e: impl std::fmt::Display) -> Error {
    let message = e.to_string();
    let message = message.split("\n<").next().unwrap_or_default();
    let too_much = ["fuel", "too many", "omplex", "limit"].iter().any(|sign| message.contains(sign));
    let text = format!("grammar: {message}");
    if too_much {
        Error::limit(text)
    } else {
        Error::internal(text)
    }
}

impl State {
    /// One bit per token, token 0 lowest; words beyond the vocabulary are zero. With the grammar ended, the
    /// end tokens alone.
    pub fn mask(&mut self, bits: &mut [u32]) -> Result<()> {
        let mut set = self.matcher.compute_mask_or_eos().map_err(failed)?;
        let may_end = self.may_end()?;
        let tokens = &self.tokens;
        tokens.control().iter_set_entries(|id| {
            let id = id as TokenId;
            if !(self.control.is_allowed(id) || may_end && tokens.is_end(id)) {
                set.disallow_token(id);
            }
        });
        let words = set.as_slice();
        let n = words.len().min(bits.len());
        bits[..n].copy_from_slice(&words[..n]);
        bits[n..].fill(0);
        if bits.iter().all(|word| *word == 0) && !self.matcher.is_stopped() {
            return Err(Error::internal("grammar: no token is allowed"));
        }
        Ok(())
    }

    pub fn may_end(&mut self) -> Result<bool> {
        Ok(self.is_stopped() || self.matcher.is_accepting().map_err(failed)?)
    }

    /// Nothing but an end can follow.
    pub fn is_stopped(&self) -> bool {
        self.matcher.is_stopped() && !self.matcher.is_error()
    }

    /// A token that the grammar does not allow is refused and changes nothing.
    pub fn consume(&mut self, token: i32) -> Result<()> {
        let refused = || Error::invalid(format!("token {token} is not allowed by the grammar here"));
        let id = usize::try_from(token).map_err(|_| refused())?;
        if id >= self.tokens.trie().vocab_size() {
            return Err(refused());
        }
        let id = id as TokenId;
        if self.is_stopped() {
            if !self.tokens.is_end(id) {
                return Err(refused());
            }
            self.after_stop += 1;
        } else {
            let named = !self.tokens.control().is_allowed(id) || self.control.is_allowed(id);
            let allowed = if self.tokens.is_end(id) && self.may_end()? {
                true
            } else {
                named && self.matcher.validate_tokens(&[id]).map_err(failed)? == 1
            };
            if !allowed {
                return Err(refused());
            }
            self.matcher.consume_token(id).map_err(failed)?;
        }
        self.read += 1;
        Ok(())
    }

    /// Tokens that must follow, in order; they are not consumed.
    pub fn forced(&mut self) -> Result<Vec<i32>> {
        if self.is_stopped() {
            return Ok(Vec::new());
        }
        let ids = self.matcher.compute_ff_tokens();
        match self.matcher.get_error() {
            Some(message) => Err(failed(message)),
            None => Ok(ids.into_iter().map(|id| id as i32).collect()),
        }
    }

    /// Takes back the last n tokens.
    pub fn rollback(&mut self, n: usize) -> Result<()> {
        if n > self.read {
            return Err(Error::invalid(format!("rollback of {n} tokens, {} were read", self.read)));
        }
        let after_stop = n.min(self.after_stop);
        self.matcher.rollback(n - after_stop).map_err(failed)?;
        self.after_stop -= after_stop;
        self.read -= n;
        Ok(())
    }

    pub fn copy(&self) -> Self {
        Self {
            matcher: self.matcher.deep_clone(),
            tokens: self.tokens.clone(),
            control: self.control.clone(),
            read: self.read,
            after_stop: self.after_stop,
        }
    }
}

#[cfg(test)]
#[path = "grammar_test.rs"]
mod tests;
