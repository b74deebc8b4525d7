//! Prompt room: how much of the mediated prompt each memory may fill.
//!
//! By itself each side takes what its shown memories need. Where both together need more than there is, the person's
//! side gets λ = m/(m + κ) of it, the others' side the rest, and what one leaves the other may take. The weights
//! `local-room` and `global-room` then scale the two allotments, and the sum is divided anew in their proportion: more
//! room for one side is less for the other, and the prompt stays as long as it was.
//!
//! λ is that of the dataset's own weights, not of the turned ones: turning a weight of scope *mediate* must leave every
//! prompt, and so every answer, as it is.

use super::evidence::Evidence;
use super::kernel::Kernel;
use super::weights::Weights;

/// Tokens for either side.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Room {
    /// For the person's memories.
    pub local: f64,
    /// For the others'.
    pub global: f64,
}

/// λ = m/(m + κ): the share of the person's side where room is short.
pub fn local_share(evidence: &Evidence, weights: &Weights) -> f64 {
    let mass = Kernel::of(evidence, weights).mass;
    mass / (mass + weights.prior_strength)
}

/// Divides `size` tokens between two sides of these needs. Nobody's room exceeds what the two get together.
pub fn allot(need: Room, size: f64, local_share: f64, weights: &Weights) -> Room {
    let by_itself = if need.local + need.global <= size {
        need
    } else {
        let local = (local_share * size).max(size - need.global).min(need.local);
        Room { local, global: (size - local).min(need.global) }
    };
    let total = by_itself.local + by_itself.global;
    let (local, global) = (by_itself.local * weights.local_room, by_itself.global * weights.global_room);
    let asked = local + global;
    if weights.local_room == weights.global_room && asked > 0.0 {
        // Equal factors cancel; dividing would only add rounding.
        return by_itself;
    }
    if asked > 0.0 { Room { local: total * local / asked, global: total * global / asked } } else { Room::default() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn weights(local_room: f64, global_room: f64) -> Weights {
        Weights { local_room, global_room, ..Weights::default() }
    }

    #[test]
    fn each_takes_what_it_needs_and_shares_what_is_short() {
        let room = |local, global| Room { local, global };
        for (need, size, share, factors, expected) in [
            (room(60.0, 40.0), 200.0, 0.9, (1.0, 1.0), room(60.0, 40.0)),
            (room(60.0, 40.0), 50.0, 0.8, (1.0, 1.0), room(40.0, 10.0)),
            (room(10.0, 90.0), 50.0, 0.8, (1.0, 1.0), room(10.0, 40.0)),
            (room(90.0, 10.0), 50.0, 0.2, (1.0, 1.0), room(40.0, 10.0)),
            (room(60.0, 40.0), 200.0, 0.5, (0.0, 1.0), room(0.0, 100.0)),
            (room(60.0, 40.0), 200.0, 0.5, (2.0, 0.0), room(100.0, 0.0)),
            (room(50.0, 50.0), 200.0, 0.5, (3.0, 1.0), room(75.0, 25.0)),
            (room(60.0, 40.0), 200.0, 0.5, (0.0, 0.0), room(0.0, 0.0)),
            (room(0.0, 40.0), 200.0, 0.0, (4.0, 1.0), room(0.0, 40.0)),
        ] {
            assert_eq!(allot(need, size, share, &weights(factors.0, factors.1)), expected, "{need:?} in {size}");
        }
    }

    proptest! {
        #[test]
        fn no_more_is_given_than_there_is(
            needs in (0.0..500.0f64, 0.0..500.0f64), size in 0.0..600.0f64, share in 0.0..1.0f64,
            factors in (0.0..4.0f64, 0.0..4.0f64), more in 0.0..2.0f64,
        ) {
            let need = Room { local: needs.0, global: needs.1 };
            let at = |local: f64| allot(need, size, share, &weights(local, factors.1));
            let room = at(factors.0);
            prop_assert!(room.local >= 0.0 && room.global >= 0.0);
            prop_assert!(room.local + room.global <= size.min(needs.0 + needs.1) + 1e-9);
            prop_assert!(at(factors.0 + more).local >= room.local - 1e-9, "more room for local is never less");
        }
    }
}
