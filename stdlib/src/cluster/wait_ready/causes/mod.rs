//! What keeps objects from becoming ready.

pub(super) mod denial;
pub(super) mod network;
pub(super) mod owed;
pub(super) mod scheduling;
