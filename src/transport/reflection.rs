//! Reflection: tells tools like grpcurl which services there are, in both versions of the protocol that such tools speak.

use tonic::service::Routes;
use tonic_reflection::pb;
use tonic_reflection::server::{Builder, Error};

use super::health;
use super::methods::UNARY_LIMIT;

/// The names of the reflection protocol's own services.
pub const SERVICES: [&str; 2] = ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"];

/// Every descriptor set of this server: its own protocol, the details of errors, health and reflection.
pub const DESCRIPTORS: [&[u8]; 5] = [
    crate::proto::DESCRIPTORS,
    tonic_types::pb::FILE_DESCRIPTOR_SET,
    tonic_health::pb::FILE_DESCRIPTOR_SET,
    pb::v1::FILE_DESCRIPTOR_SET,
    pb::v1alpha::FILE_DESCRIPTOR_SET,
];

/// Adds reflection to `routes`. Lists the services named in `served`, health, and itself; a service that is compiled in but
/// not served (the test clock) is not listed.
///
/// # Errors
/// A descriptor set that can't be read.
pub fn add_to(routes: Routes, served: &[&str]) -> Result<Routes, Error> {
    let v1 = builder(served).build_v1()?.max_decoding_message_size(UNARY_LIMIT);
    let v1alpha = builder(served).build_v1alpha()?.max_decoding_message_size(UNARY_LIMIT);
    Ok(routes.add_service(v1).add_service(v1alpha))
}

fn builder(served: &[&str]) -> Builder<'static> {
    let builder = Builder::configure().include_reflection_service(false);
    let builder = DESCRIPTORS.iter().fold(builder, |builder, set| builder.register_encoded_file_descriptor_set(set));
    let names = served.iter().chain(&[health::SERVICE]).chain(&SERVICES);
    names.fold(builder, |builder, name| builder.with_service_name(*name))
}
