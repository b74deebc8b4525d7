//! Loops at the full width of the registers that this machine has: the program is compiled for every processor of its kind,
//! and which instructions there are beyond is found out once.
//!
//! Invariant: what is computed does not depend on the width. Sums of whole numbers have no order; sums of others keep the
//! order that their code fixes, as no compiler changes it.

use std::sync::LazyLock;

use pulp::Arch;

/// Runs `work` compiled for this machine's registers: short loops over numbers, whose functions are `inline(always)`.
#[inline]
pub fn wide<R>(work: impl FnOnce() -> R) -> R {
    static MACHINE: LazyLock<Arch> = LazyLock::new(Arch::new);
    MACHINE.dispatch(work)
}
