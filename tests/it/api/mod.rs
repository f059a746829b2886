//! Every RPC against the real server, one file each, and every bad input that anybody has thought of.

mod bad_documents;
mod bad_inputs;
mod batch;
mod catalog;
mod check;
mod commit;
mod consume;
mod edges;
mod enforce;
mod extend;
mod floods;
pub(crate) mod framing;
mod free;
mod h2;
pub(crate) mod helpers;
mod http1;
mod list;
mod probes;
mod release;
mod reserve;
mod starting;
mod unheard;
mod usage;
