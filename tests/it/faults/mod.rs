//! Faults under load, on real processes: two replicas, one Redis, one PostgreSQL; in each round one of them is killed, emptied,
//! frozen or cut off, and the clients' own log is the witness of what must be there.

mod books;
mod course;
mod failover;
mod fault;
mod jobs;
mod load;
mod replicas;
mod rounds;
mod world;
