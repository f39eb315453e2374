//! alloc as a program's global allocator. A `Layout` knows size and alignment when memory is freed, which is all that
//! the library asks for. For Rust 1.82 and later, any edition; before that, write `extern` for `unsafe extern`.
use std::alloc::{GlobalAlloc, Layout};

pub struct Alloc;

unsafe extern "C" {
    fn alloc_malloc_aligned(size: usize, align: usize) -> *mut u8;
    fn alloc_zalloc_aligned(size: usize, align: usize) -> *mut u8;
    fn alloc_realloc_aligned(ptr: *mut u8, old_size: usize, new_size: usize, align: usize) -> *mut u8;
    fn alloc_free_aligned(ptr: *mut u8, size: usize, align: usize);
}

unsafe impl GlobalAlloc for Alloc {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        unsafe { alloc_malloc_aligned(layout.size(), layout.align()) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        unsafe { alloc_zalloc_aligned(layout.size(), layout.align()) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        unsafe { alloc_realloc_aligned(ptr, layout.size(), new_size, layout.align()) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        unsafe { alloc_free_aligned(ptr, layout.size(), layout.align()) }
    }
}
