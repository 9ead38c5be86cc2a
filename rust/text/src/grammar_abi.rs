//! Grammars over the C ABI (include/quern_text.h).

use crate::abi::{answer, guarded, slice, Owned, View};
use crate::error::{Code, Error};
use crate::grammar::{Engine, Grammar, Kind, State};
use crate::tokenizer::Tokenizer;
use std::ffi::c_int;
use std::sync::Arc;

unsafe fn release<T>(object: *mut T) {
    if !object.is_null() {
        drop(unsafe { Box::from_raw(object) });
    }
}

#[no_mangle]
pub unsafe extern "C" fn quern_text_grammar_engine_new(
    tokenizer: *const Tokenizer,
    ends: *const i32,
    n_ends: usize,
    out: *mut *mut Engine,
    error: *mut Owned<u8>,
) -> Code {
    unsafe {
        answer(out, error, || {
            // The handle is that of an Arc (tokenizer_abi.rs); the engine holds one more.
            Arc::increment_strong_count(tokenizer);
            let tokenizer = Arc::from_raw(tokenizer);
            Ok(Box::into_raw(Box::new(Engine::new(tokenizer, slice(ends, n_ends))?)))
        })
    }
}

#[no_mangle]
pub unsafe extern "C" fn quern_text_grammar_engine_free(engine: *mut Engine) {
    unsafe { release(engine) }
}

#[no_mangle]
pub unsafe extern "C" fn quern_text_grammar_compile(
    engine: *const Engine,
    kind: c_int,
    text: View,
    compact: c_int,
    out: *mut *mut Grammar,
    error: *mut Owned<u8>,
) -> Code {
    unsafe {
        answer(out, error, || {
            let kind = Kind::of(kind).ok_or_else(|| Error::invalid(format!("grammar kind {kind}")))?;
            let grammar = (*engine).compile(kind, text.text("the grammar")?, compact != 0)?;
            Ok(Box::into_raw(Box::new(grammar)))
        })
    }
}

#[no_mangle]
pub unsafe extern "C" fn quern_text_grammar_free(grammar: *mut Grammar) {
    unsafe { release(grammar) }
}

#[no_mangle]
pub unsafe extern "C" fn quern_text_grammar_n_notes(grammar: *const Grammar) -> usize {
    unsafe { (*grammar).notes().len() }
}

#[no_mangle]
pub unsafe extern "C" fn quern_text_grammar_note(grammar: *const Grammar, i: usize) -> View {
    View::of(unsafe { (*grammar).notes().get(i) }.map_or(&[], |text| text.as_bytes()))
}

#[no_mangle]
pub unsafe extern "C" fn quern_text_matcher_new(
    grammar: *const Grammar,
    out: *mut *mut State,
    error: *mut Owned<u8>,
) -> Code {
    unsafe { answer(out, error, || Ok(Box::into_raw(Box::new((*grammar).state()?)))) }
}

#[no_mangle]
pub unsafe extern "C" fn quern_text_matcher_copy(
    matcher: *const State,
    out: *mut *mut State,
    error: *mut Owned<u8>,
) -> Code {
    unsafe { answer(out, error, || Ok(Box::into_raw(Box::new((*matcher).copy())))) }
}

#[no_mangle]
pub unsafe extern "C" fn quern_text_matcher_free(matcher: *mut State) {
    unsafe { release(matcher) }
}

#[no_mangle]
pub unsafe extern "C" fn quern_text_matcher_mask(
    matcher: *mut State,
    bits: *mut u32,
    n_words: usize,
    error: *mut Owned<u8>,
) -> Code {
    let mut done = ();
    unsafe {
        answer(&mut done, error, || {
            let bits = if n_words == 0 { &mut [] } else { std::slice::from_raw_parts_mut(bits, n_words) };
            (*matcher).mask(bits)
        })
    }
}

#[no_mangle]
pub unsafe extern "C" fn quern_text_matcher_consume(matcher: *mut State, token: i32, error: *mut Owned<u8>) -> Code {
    let mut done = ();
    unsafe { answer(&mut done, error, || (*matcher).consume(token)) }
}

#[no_mangle]
pub unsafe extern "C" fn quern_text_matcher_forced(
    matcher: *mut State,
    out: *mut Owned<i32>,
    error: *mut Owned<u8>,
) -> Code {
    unsafe { answer(out, error, || Ok(Owned::new((*matcher).forced()?))) }
}

#[no_mangle]
pub unsafe extern "C" fn quern_text_matcher_rollback(matcher: *mut State, n: usize, error: *mut Owned<u8>) -> Code {
    let mut done = ();
    unsafe { answer(&mut done, error, || (*matcher).rollback(n)) }
}

#[no_mangle]
pub unsafe extern "C" fn quern_text_matcher_may_end(matcher: *mut State) -> c_int {
    // An error shows where the next mask is asked for.
    c_int::from(guarded(|| unsafe { (*matcher).may_end() }).unwrap_or(false))
}

#[no_mangle]
pub unsafe extern "C" fn quern_text_matcher_stopped(matcher: *const State) -> c_int {
    c_int::from(unsafe { (*matcher).is_stopped() })
}
