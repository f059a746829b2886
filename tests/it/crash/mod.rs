//! `kill -9`, SIGTERM and failing disks, on the real program: the clients' own log is the witness of what must be there.

mod books;
mod ending;
mod faults;
mod jobs;
mod lagging;
mod large;
mod load;
mod moves;
mod parted;
mod repeats;
mod rounds;

pub(crate) use {faults::tamper, lagging::STOP};
