//! Compiles `proto/` to Rust, JSON mappings and a descriptor set for reflection. Needs no `protoc`.

#![allow(clippy::print_stdout, reason = "it is how a build script talks to Cargo")]

use std::{env, error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut files: Vec<PathBuf> = fs::read_dir("proto/quotad/v1")?
        .map(|entry| Ok(entry?.path().strip_prefix("proto")?.to_path_buf()))
        .collect::<Result<_, Box<dyn Error>>>()?;
    files.sort();

    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_imports(true).include_source_info(true).open_files(files)?;
    let descriptors = compiler.encode_file_descriptor_set();
    fs::write(out.join("quotad_descriptor.bin"), &descriptors)?;

    tonic_prost_build::configure()
        .compile_well_known_types(true)
        .extern_path(".google.protobuf", "::pbjson_types")
        .compile_fds(compiler.file_descriptor_set())?;
    pbjson_build::Builder::new().register_descriptors(&descriptors)?.build(&[".quotad", ".google.rpc"])?;
    Ok(())
}
