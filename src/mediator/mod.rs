//! The mediator: what both memories say, weighed against each other by weights that an analyst may turn.
//!
//! Everything here is pure and deterministic: no clock, no I/O, no retrieval. A weight changes what evidence counts
//! for, never which evidence was gathered.

pub mod conflict;
pub mod context;
pub mod counterfactual;
pub mod distribution;
pub mod evidence;
pub mod facet;
pub mod flip;
pub mod fusion;
pub mod hysteresis;
pub mod kernel;
pub mod ledger;
pub mod policy;
pub mod resolution;
pub mod signature;
pub mod style;
pub mod urn;
pub mod weights;
pub mod words;

pub use evidence::Evidence;
pub use facet::Facet;
pub use hysteresis::Course;
pub use policy::Policy;
pub use resolution::{Resolution, mediate};
pub use weights::{Weight, Weights};
