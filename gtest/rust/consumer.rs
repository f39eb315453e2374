//! A user's program in Rust: everything that it allocates comes from alloc. It panics when something is not as it
//! should be; the library itself aborts when memory is freed with a size that it was not allocated with.
mod alloc;

use std::alloc::Layout;
use std::collections::{BTreeMap, BinaryHeap, HashMap, LinkedList, VecDeque};
use std::sync::{mpsc, Arc, Mutex};
use std::thread;

#[global_allocator]
static GLOBAL: alloc::Alloc = alloc::Alloc;

unsafe extern "C" {
    fn alloc_good_size_aligned(size: usize, align: usize) -> usize;
    fn alloc_realloc_aligned(ptr: *mut u8, old_size: usize, new_size: usize, align: usize) -> *mut u8;
}

#[repr(align(4096))]
struct Page([u8; 100]);

#[repr(align(64))]
#[derive(Clone)]
struct Line(u64);

/// What a Vec holds can be resized by the library itself, within its size class without moving: nobody else does that.
fn comes_from_the_library() {
    let mut block = Vec::<u8>::with_capacity(100);
    let room = unsafe { alloc_good_size_aligned(100, 1) };
    assert!(room > 100);
    let (ptr, len) = (block.as_mut_ptr(), block.len());
    let resized = unsafe { alloc_realloc_aligned(ptr, 100, room, 1) };
    assert_eq!(resized, ptr);
    std::mem::forget(block);
    drop(unsafe { Vec::from_raw_parts(resized, len, room) });
}

fn collections(seed: usize) -> usize {
    let mut map: BTreeMap<usize, String> = (0..5000).map(|i| (i * 7919 % 5003, "x".repeat(i % 300))).collect();
    let mut table = HashMap::new();
    let mut list = LinkedList::new();
    let mut queue = VecDeque::new();
    let mut heap = BinaryHeap::new();
    for i in 0..20000 {
        table.insert(i, vec![(seed + i) as u32; i % 50]);
        list.push_back(i as u64);
        queue.push_front(Line(i as u64));
        heap.push(i * 31 % 1009);
        if i % 3 == 0 {
            map.remove(&(i % 5003));
            table.remove(&(i / 2));
            queue.pop_back();
        }
    }
    assert!(queue.iter().all(|line| line as *const Line as usize % 64 == 0));
    map.values().map(String::len).sum::<usize>()
        + table.values().map(Vec::len).sum::<usize>()
        + list.len()
        + queue.iter().map(|line| line.0 as usize).sum::<usize>()
        + heap.into_sorted_vec()[100]
}

fn sizes_and_alignments() {
    for shift in 0..=13 {
        let align = 1 << shift;
        for size in [1, 24, 100, 5000, 70000, 600000, 3000000] {
            let layout = Layout::from_size_align(size, align).unwrap();
            unsafe {
                let ptr = std::alloc::alloc_zeroed(layout);
                assert!(!ptr.is_null() && ptr as usize % align == 0);
                assert!(*ptr == 0 && *ptr.add(size / 2) == 0 && *ptr.add(size - 1) == 0);
                *ptr.add(size - 1) = 7;
                let grown = std::alloc::realloc(ptr, layout, 3 * size);
                assert!(!grown.is_null() && grown as usize % align == 0 && *grown.add(size - 1) == 7);
                std::alloc::dealloc(grown, Layout::from_size_align(3 * size, align).unwrap());
            }
        }
    }
    let pages: Vec<Box<Page>> = (0..100).map(|i| Box::new(Page([i; 100]))).collect();
    assert!(pages.iter().all(|page| &**page as *const Page as usize % 4096 == 0));
    assert_eq!(pages.iter().map(|page| page.0[99] as usize).sum::<usize>(), 4950);
}

fn grows() {
    let mut numbers = Vec::new();
    for i in 0..5_000_000u64 {
        numbers.push(i);
    }
    numbers.truncate(1000);
    numbers.shrink_to_fit();
    assert_eq!(numbers.iter().sum::<u64>(), 499_500);
    assert!(vec![0u8; 100 << 20].iter().step_by(4096).all(|byte| *byte == 0));
    assert!(Vec::<u8>::new().try_reserve(isize::MAX as usize).is_err());
}

fn threads() {
    let (sender, receiver) = mpsc::channel();
    let shared = Arc::new(Mutex::new(Vec::new()));
    let makers: Vec<_> = (0..4)
        .map(|seed| {
            let (sender, shared) = (sender.clone(), Arc::clone(&shared));
            thread::spawn(move || {
                for i in 0..5000 {
                    sender.send(Box::new([seed as u8; 200])).unwrap(); // freed by the thread that receives it
                    shared.lock().unwrap().push(format!("{} {}", seed, i));
                }
                collections(seed)
            })
        })
        .collect();
    drop(sender);
    assert_eq!(receiver.iter().map(|array| array[199] as usize).sum::<usize>(), 30000);
    let sums: Vec<usize> = makers.into_iter().map(|maker| maker.join().unwrap()).collect();
    assert!(sums.iter().all(|sum| *sum == sums[0]));
    assert_eq!(shared.lock().unwrap().len(), 20000);
}

fn main() {
    comes_from_the_library();
    sizes_and_alignments();
    grows();
    threads();
    println!("{}", collections(0));
}
