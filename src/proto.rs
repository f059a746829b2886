//! The generated protocol: messages, clients, servers, and their canonical JSON.

#![allow(missing_docs, clippy::all, clippy::pedantic, rustdoc::all)]

/// `quotad.v1`, this service's own package.
pub mod quotad {
    #[path = ""]
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/quotad.v1.rs"));
        include!(concat!(env!("OUT_DIR"), "/quotad.v1.serde.rs"));
    }
}

/// `google.rpc`, the standard error model.
pub mod google {
    pub mod rpc {
        include!(concat!(env!("OUT_DIR"), "/google.rpc.rs"));
        include!(concat!(env!("OUT_DIR"), "/google.rpc.serde.rs"));
    }
}

pub use quotad::v1;

/// All files of the protocol as an encoded `FileDescriptorSet`, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/quotad_descriptor.bin"));
