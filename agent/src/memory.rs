//! How the process uses the machine's memory.
#![expect(unsafe_code, reason = "one prctl that takes plain numbers")]

/// Turns transparent huge pages off for this process.
///
/// The allocator asks for them, and then a first byte in a fresh 2 MiB costs all of it: an idle agent would be twice its size.
pub fn no_huge_pages() {
    // SAFETY: PR_SET_THP_DISABLE takes numbers only and touches no memory of ours. Kernels without it refuse, which is no harm.
    unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0) };
}
