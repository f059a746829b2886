//! The example for one machine: a YAML file that nobody here can run in containers, so its parts are tried by themselves.

use super::files::{read, root, words, yaml};
use crate::support::{Options, Server, cli, unused_addr};
use serde_json::Value;
use std::fs;

fn compose() -> Value {
    yaml("deploy/compose.yaml").remove(0)
}

/// What compose makes of a text: `$$` is a dollar, `${NAME:-default}` the default.
fn interpolated(text: &str) -> String {
    let mut rest = text.replace("$$", "\u{0}");
    while let Some((before, after)) = rest.split_once("${") {
        let (variable, after) = after.split_once('}').unwrap();
        let (_, default) = variable.split_once(":-").unwrap();
        rest = format!("{before}{default}{after}");
    }
    rest.replace('\u{0}', "$")
}

#[test]
fn every_flag_and_variable_of_the_example_is_one_of_serve() {
    let service = &compose()["services"]["quotad"];
    let help = cli(["serve", "--help"]).stdout;
    let command = words(&service["command"]);
    assert_eq!(command[0], "serve");
    for flag in command.iter().filter(|word| word.starts_with("--")) {
        assert!(help.split_whitespace().any(|word| word == flag), "serve has no {flag}");
    }
    for variable in service["environment"].as_object().unwrap().keys() {
        // The value of a secret is not shown, so that nothing may follow.
        let shown = [format!("[env: {variable}="), format!("[env: {variable}]")];
        assert!(shown.iter().any(|text| help.contains(text)), "serve reads no {variable}");
    }
}

#[test]
fn the_example_is_safe_and_has_two_replicas() {
    let compose = compose();
    let services = compose["services"].as_object().unwrap();
    let redis = words(&services["redis"]["command"]).join(" ");
    for setting in ["--appendonly yes", "--appendfsync everysec", "--maxmemory-policy noeviction"] {
        assert!(redis.contains(setting), "{redis}");
    }
    let quotad = &services["quotad"];
    assert_eq!(quotad["deploy"]["replicas"], "2");
    for needed in ["redis", "postgres"] {
        assert_eq!(quotad["depends_on"][needed]["condition"], "service_healthy");
        assert!(services[needed]["ports"].is_null(), "{needed} is for the replicas alone");
    }
    // It lets everybody in, so nobody beyond the machine may reach it.
    for ports in words(&quotad["ports"]) {
        assert!(ports.starts_with("127.0.0.1:"), "{ports}");
    }
    for (name, service) in services {
        assert!(words(&service["healthcheck"]["test"]).len() > 1, "{name} has no health check");
        for volume in service["volumes"].as_array().into_iter().flatten() {
            let volume = volume.as_str().unwrap().split(':').next().unwrap();
            assert!(compose["volumes"].get(volume).is_some(), "{volume} is no volume");
        }
    }
    let database = interpolated(quotad["environment"]["QUOTAD_DATABASE_URL"].as_str().unwrap());
    assert_eq!(database, "postgres://quotad:quotad@postgres:5432/quotad");
}

#[test]
fn the_health_check_is_the_probe() {
    let mut test = words(&compose()["services"]["quotad"]["healthcheck"]["test"]);
    assert_eq!(test[..3], ["CMD", "quotad", "probe"]);
    let steps = read("deploy/Dockerfile");
    let written: Vec<String> = test[1..].iter().map(|word| format!("{word:?}")).collect();
    assert!(steps.contains(&format!("CMD [{}]", written.join(", "))), "the image's own check is another one");

    // It asks the default address, where the server in the container listens too.
    assert!(words(&compose()["services"]["quotad"]["command"]).iter().any(|word| word == "0.0.0.0:50051"));
    let server = Server::start(Options::new());
    test.extend(["--addr".to_owned(), server.grpc_addr().to_owned()]);
    let ready = cli(&test[2..]);
    assert_eq!(ready.status, Some(0), "{ready:?}");
    *test.last_mut().unwrap() = unused_addr().to_string();
    assert_eq!(cli(&test[2..]).status, Some(1));
}

#[test]
fn the_image_is_built_by_the_right_compiler_and_runs_as_nobody() {
    let manifest = read("Cargo.toml");
    let version = manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap().trim_matches('"');
    let build = &compose()["services"]["quotad"]["build"];
    let file =
        root().join("deploy").join(build["context"].as_str().unwrap()).join(build["dockerfile"].as_str().unwrap());
    let steps = fs::read_to_string(file).unwrap();
    assert!(steps.contains(&format!("FROM rust:{version}-")), "the compiler is {version}");
    let user = steps.lines().filter_map(|line| line.strip_prefix("USER ")).next_back().unwrap();
    let user = user.split(':').next().unwrap();
    assert!(user.parse::<u32>().unwrap() >= 1000, "USER {user}");
}
