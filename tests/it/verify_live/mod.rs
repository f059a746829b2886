//! `quotad verify --redis-url`: what is live in Redis is compared with the ledger while replicas work; no false alarm, every
//! damage is found and named, and a counter that is wrong is read from the ledger again.

mod busy;
mod damages;
mod decisions;
mod world;
