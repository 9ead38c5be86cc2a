//! The system's allocator, which calls the program when memory runs out. Otherwise Rust would abort
//! with its own message and a signal.

use std::alloc::{GlobalAlloc, Layout, System};
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

type OutOfMemory = extern "C" fn(size: usize);

/// An `OutOfMemory`, or null: then a null pointer is handed on.
static OUT_OF_MEMORY: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());

struct Allocator;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

fn checked(memory: *mut u8, size: usize) -> *mut u8 {
    if memory.is_null() {
        refused(size);
    }
    memory
}

#[cold]
fn refused(size: usize) {
    let hook = OUT_OF_MEMORY.load(Ordering::Acquire);
    if !hook.is_null() {
        // Safety: only quern_text_on_out_of_memory stores here, and stores an OutOfMemory.
        let end: OutOfMemory = unsafe { mem::transmute(hook) };
        end(size);
    }
}

// Safety: all memory is System's, with the layouts as they come.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        checked(unsafe { System.alloc(layout) }, layout.size())
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        checked(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }
    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        checked(unsafe { System.realloc(memory, layout, size) }, size)
    }
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        unsafe { System.dealloc(memory, layout) }
    }
}

#[no_mangle]
pub extern "C" fn quern_text_on_out_of_memory(end: Option<OutOfMemory>) {
    let hook = end.map_or(ptr::null_mut(), |end| end as *mut ());
    OUT_OF_MEMORY.store(hook, Ordering::Release);
}
