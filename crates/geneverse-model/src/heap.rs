//! The process's memory: how it is allocated, and how much it was at most.

use std::alloc::{GlobalAlloc, Layout, System};

/// Lets freed memory be used again instead of being given back to the system after every operation.
///
/// Training allocates and frees the same large buffers in every layer. glibc serves them by mapping fresh pages,
/// each of which costs a fault at its first touch. And it has an arena for each thread, none of which uses what
/// another freed: a step that runs on another thread than the last would need its memory again. Call once, before
/// anything large is allocated. Elsewhere than on Linux with glibc this does nothing.
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: mallopt sets numbers of the allocator; it is called from the only thread there is.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 256 << 20);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 512 << 20);
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

/// The system's allocator, which asks for pages of 2 MiB under whatever is larger than two of them: a twentieth of a training step
/// was looking up where pages of 4 KiB lie. Elsewhere than on Linux it is the system's allocator and no more.
pub struct LargePages;

impl LargePages {
    #[cfg(target_os = "linux")]
    fn advise(start: *mut u8, len: usize) {
        const LARGE: usize = 2 << 20;
        const PAGE: usize = 4096;
        if len >= 2 * LARGE && !start.is_null() {
            let first = (start as usize).next_multiple_of(PAGE);
            let end = (start as usize + len) / PAGE * PAGE;
            // SAFETY: it is a hint about memory of this process; where it is refused, nothing happens.
            unsafe { libc::madvise(first as *mut libc::c_void, end - first, libc::MADV_HUGEPAGE) };
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn advise(_: *mut u8, _: usize) {}
}

// SAFETY: the system's allocator does the work; the hint changes nothing that a program could see.
unsafe impl GlobalAlloc for LargePages {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is the system allocator's condition.
        let start = unsafe { System.alloc(layout) };
        Self::advise(start, layout.size());
        start
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(start, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        let start = unsafe { System.alloc_zeroed(layout) };
        Self::advise(start, layout.size());
        start
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        let start = unsafe { System.realloc(start, layout, size) };
        Self::advise(start, size);
        start
    }
}

/// Peak resident memory of this process.
pub fn peak_rss_mib() -> u64 {
    // SAFETY: getrusage writes into the zeroed struct that it is given, whose every bit pattern is valid.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    let units = usage.ru_maxrss as u64;
    // Linux counts KiB, macOS bytes.
    if cfg!(target_os = "macos") { units >> 20 } else { units >> 10 }
}
