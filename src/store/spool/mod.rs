//! The spool port as a file: what was granted while the counter store could not be reached, until the store has it. Written
//! before each answer and not synced, so it survives the process, not the machine's power.

mod file;
mod frame;

pub use file::FileSpool;
