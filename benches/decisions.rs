//! Decisions per second and CPU per decision: of the rule alone, of the engine, and over gRPC.

fn main() {}
