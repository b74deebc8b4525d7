//! Gives memory back to the system after a model has gone: the allocator keeps what is freed, and a model is most of it.
//!
//! The `unsafe` here is one call that takes no pointer and may be made at any time from any thread.
#![allow(unsafe_code)]

/// Returns what is free to the system, where the allocator has a way to.
pub(super) fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: `malloc_trim` locks the allocator itself; it has no precondition.
    unsafe {
        libc::malloc_trim(0);
    }
}
