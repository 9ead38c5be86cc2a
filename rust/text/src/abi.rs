//! The C ABI of include/quern_text.h: pointers in, pointers out, and no panic across it.

use crate::error::{Code, Error, Result};
use std::cell::Cell;
use std::ffi::c_char;
use std::ops::Range;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Once;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct View {
    pub data: *const c_char,
    pub size: usize,
}

impl View {
    /// Safety: data points at size readable bytes for as long as the slice is used.
    pub unsafe fn bytes<'a>(self) -> &'a [u8] {
        unsafe { slice(self.data.cast(), self.size) }
    }
    pub unsafe fn text<'a>(self, what: &str) -> Result<&'a str> {
        std::str::from_utf8(unsafe { self.bytes() }).map_err(|e| Error::invalid(format!("{what}: {e}")))
    }
    pub fn of(bytes: &[u8]) -> Self {
        Self { data: bytes.as_ptr().cast(), size: bytes.len() }
    }
}

/// Safety: data points at size readable values, or size is 0.
pub unsafe fn slice<'a, T>(data: *const T, size: usize) -> &'a [T] {
    if data.is_null() || size == 0 {
        return &[];
    }
    unsafe { std::slice::from_raw_parts(data, size) }
}

/// A boxed slice handed to C. The same layout serves bytes, ids and ranges.
#[repr(C)]
pub struct Owned<T> {
    data: *mut T,
    size: usize,
}

impl<T> Owned<T> {
    pub fn new(values: Vec<T>) -> Self {
        let size = values.len();
        let data = Box::into_raw(values.into_boxed_slice()).cast();
        Self { data, size }
    }
    unsafe fn free(self) {
        if !self.data.is_null() {
            drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(self.data, self.size)) });
        }
    }
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct ByteRange {
    pub first: usize,
    pub last: usize,
}

impl From<&Range<usize>> for ByteRange {
    fn from(range: &Range<usize>) -> Self {
        Self { first: range.start, last: range.end }
    }
}

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// A panic that is returned as an error is not printed on the terminal; any other is.
fn quiet_guarded_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !GUARDED.with(Cell::get) {
                previous(info);
            }
        }));
    });
}

/// Runs `body`; a panic in it becomes an error.
pub fn guarded<T>(body: impl FnOnce() -> Result<T>) -> Result<T> {
    quiet_guarded_panics();
    GUARDED.with(|g| g.set(true));
    let outcome = catch_unwind(AssertUnwindSafe(body));
    GUARDED.with(|g| g.set(false));
    outcome.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
        Err(Error::internal(text))
    })
}

/// Stores what `body` made, or the error's message. Safety: out and error are writable.
pub unsafe fn answer<T>(out: *mut T, error: *mut Owned<u8>, body: impl FnOnce() -> Result<T>) -> Code {
    match guarded(body) {
        Ok(value) => {
            unsafe { out.write(value) };
            Code::Ok
        }
        Err(e) => {
            unsafe { error.write(Owned::new(e.message.into_bytes())) };
            e.code
        }
    }
}

#[no_mangle]
pub unsafe extern "C" fn quern_text_free_bytes(bytes: Owned<u8>) {
    unsafe { bytes.free() }
}

#[no_mangle]
pub unsafe extern "C" fn quern_text_free_ids(ids: Owned<i32>) {
    unsafe { ids.free() }
}

#[no_mangle]
pub unsafe extern "C" fn quern_text_free_ranges(ranges: Owned<ByteRange>) {
    unsafe { ranges.free() }
}
