//! Data: interactions, dataset folders, the seeded sample population. Knows nothing of memory.

pub mod archive;
pub mod dataset;
pub mod diff;
pub mod draw;
pub mod embedding;
pub mod forget;
pub mod form;
pub mod hidden;
pub mod import;
pub mod interaction;
pub mod lamp_output;
pub mod lock;
pub mod manifest;
pub mod sample;
pub mod sanitize;
pub mod scale;
pub mod synth;
pub mod table;
pub mod text;
