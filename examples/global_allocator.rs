//! A program in Rust, all of whose memory comes from alloc.
mod alloc;

use std::collections::BTreeMap;

#[global_allocator]
static GLOBAL: alloc::Alloc = alloc::Alloc;

unsafe extern "C" {
    fn alloc_good_size_aligned(size: usize, align: usize) -> usize;
}

fn main() {
    let squares: BTreeMap<u64, String> = (0..1000).map(|i| (i, format!("{} squared is {}", i, i * i))).collect();
    println!("{}", squares[&999]);
    println!("65 bytes take {}", unsafe { alloc_good_size_aligned(65, 1) });
}
