//! The chart for Kubernetes and the plain manifests that it renders to. `deploy/check` runs helm and a validator on them;
//! here they are held together, and against the program.

use super::files::{files_below, read, words, yaml};
use crate::support::cli;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

fn one(name: &str) -> Value {
    let mut documents = yaml(&format!("deploy/kubernetes/{name}.yaml"));
    assert_eq!(documents.len(), 1, "{name}");
    documents.remove(0)
}

/// The only container of a pod template, with the pod's own description.
fn pod(resource: &Value) -> (Value, Value) {
    let pod = resource["spec"]["template"]["spec"].clone();
    assert_eq!(pod["containers"].as_array().map(Vec::len), Some(1));
    (pod["containers"][0].clone(), pod)
}

fn number(value: &Value) -> u64 {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no number: {value}"))
}

#[test]
fn the_plain_manifests_are_what_the_chart_renders() {
    let listed: BTreeMap<String, String> = read("deploy/kubernetes/rendered.sha256")
        .lines()
        .map(|line| line.split_once("  ").map(|(digest, path)| (path.to_owned(), digest.to_owned())).unwrap())
        .collect();
    let there = files_below("deploy/helm/quotad").into_iter().chain(files_below("deploy/kubernetes"));
    let found: BTreeMap<String, String> = there
        .filter(|path| !path.ends_with("rendered.sha256"))
        .map(|path| {
            let digest = Sha256::digest(read(&path));
            let digest = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            (path, digest)
        })
        .collect();
    assert_eq!(found, listed, "changed since deploy/helm/render ran last; run it again (.ci/tools helm builds helm)");
}

#[test]
fn the_server_is_started_with_flags_that_it_has() {
    let (container, _) = pod(&one("deployment"));
    let help = cli(["serve", "--help"]).stdout;
    let args = words(&container["args"]);
    assert_eq!(args[0], "serve");
    for arg in args.iter().filter(|arg| arg.starts_with("--")) {
        let flag = arg.split('=').next().unwrap();
        assert!(help.split_whitespace().any(|word| word == flag), "serve has no {flag}");
    }
    // As long as there are no credentials this stands where everybody sees it.
    assert!(args.iter().any(|arg| arg == "--allow-anonymous"));
    for (resource, help) in [(one("deployment"), help), (one("migration"), cli(["migrate", "--help"]).stdout)] {
        for variable in pod(&resource).0["env"].as_array().unwrap() {
            let (name, secret) = (variable["name"].as_str().unwrap(), &variable["valueFrom"]["secretKeyRef"]["name"]);
            assert!(help.contains(&format!("[env: {name}")), "{name} is not read");
            assert_eq!(secret, "quotad-stores", "a URL may hold a password");
        }
    }
    assert_eq!(words(&pod(&one("migration")).0["args"]), ["migrate"]);
}

#[test]
fn pods_may_do_nothing_that_they_need_not() {
    for name in ["deployment", "migration"] {
        let (container, pod) = pod(&one(name));
        assert_eq!(pod["automountServiceAccountToken"], "false", "{name}");
        assert_eq!(pod["securityContext"]["runAsNonRoot"], "true", "{name}");
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault", "{name}");
        // The user that the image makes the data folder for.
        let user = pod["securityContext"]["runAsUser"].as_str().unwrap();
        assert!(read("deploy/Dockerfile").contains(&format!("USER {user}:{user}")), "{name}");
        let context = &container["securityContext"];
        assert_eq!(context["readOnlyRootFilesystem"], "true", "{name}");
        assert_eq!(context["allowPrivilegeEscalation"], "false", "{name}");
        assert_eq!(words(&context["capabilities"]["drop"]), ["ALL"], "{name}");
        assert!(container["resources"]["limits"]["memory"].is_string(), "{name}");
    }
    let policy = one("network-policy");
    assert_eq!(words(&policy["spec"]["policyTypes"]), ["Ingress", "Egress"]);
    for rule in policy["spec"]["ingress"].as_array().unwrap() {
        assert!(rule["from"].as_array().is_some_and(|from| !from.is_empty()), "open to everybody: {rule}");
    }
    // The job that migrates needs the database, so the policy is for it too.
    let migration = &one("migration")["spec"]["template"]["metadata"]["labels"];
    for (label, value) in policy["spec"]["podSelector"]["matchLabels"].as_object().unwrap() {
        assert_eq!(&migration[label], value);
    }
}

#[test]
fn a_pod_has_the_time_to_end_in_order() {
    let (container, pod) = pod(&one("deployment"));
    let args = words(&container["args"]);
    let seconds = |flag: &str| -> u64 {
        let value = args.iter().find_map(|arg| arg.strip_prefix(flag)).unwrap_or_else(|| panic!("{flag} is missing"));
        value.parse().unwrap()
    };
    let (before, drain) = (seconds("--shutdown-delay-seconds="), seconds("--drain-seconds="));
    let grace = number(&pod["terminationGracePeriodSeconds"]);
    // Twenty seconds is what the last flush may take.
    assert!(before >= 5 && grace >= before + drain + 20, "{grace} s for {before} s, {drain} s and the last flush");
    // It is told apart by probes of the program's own health service; a start may wait long for its stores.
    for (probe, service) in
        [("startupProbe", "liveness"), ("livenessProbe", "liveness"), ("readinessProbe", "readiness")]
    {
        assert_eq!(container[probe]["grpc"]["service"], service, "{probe}");
    }
    let patience =
        number(&container["startupProbe"]["periodSeconds"]) * number(&container["startupProbe"]["failureThreshold"]);
    assert!(patience >= 1800, "{patience} s");
}

#[test]
fn replicas_are_spread_and_kept() {
    let server = one("deployment")["spec"]["selector"]["matchLabels"].clone();
    let labels = one("deployment")["spec"]["template"]["metadata"]["labels"].clone();
    let is_chosen = |selector: &Value| {
        let chosen = selector.as_object().unwrap().iter().all(|(label, value)| labels[label] == *value);
        assert!(chosen && selector["app.kubernetes.io/component"] == "server", "{selector}");
    };
    is_chosen(&server);
    is_chosen(&one("disruption-budget")["spec"]["selector"]["matchLabels"]);
    let services = yaml("deploy/kubernetes/service.yaml");
    services.iter().for_each(|service| is_chosen(&service["spec"]["selector"]));
    let headless: Vec<bool> = services.iter().map(|service| service["spec"]["clusterIP"] == "None").collect();
    assert_eq!(headless, [false, true]);
    let (_, pod) = pod(&one("deployment"));
    for constraint in pod["topologySpreadConstraints"].as_array().unwrap() {
        is_chosen(&constraint["labelSelector"]["matchLabels"]);
    }
    let scaler = one("autoscaler");
    assert_eq!(scaler["spec"]["scaleTargetRef"]["name"], one("deployment")["metadata"]["name"]);
    assert!(number(&scaler["spec"]["minReplicas"]) >= 2);
}

#[test]
fn the_schema_knows_all_values_and_no_others() {
    let schema: Value = serde_json::from_str(&read("deploy/helm/quotad/values.schema.json")).unwrap();
    let values = yaml("deploy/helm/quotad/values.yaml").remove(0);
    same_names(&schema, &values, "values");
    let notes = read("deploy/helm/quotad/templates/NOTES.txt");
    assert!(notes.contains("WARNING: there are no credentials yet"));
    let chart = yaml("deploy/helm/quotad/Chart.yaml").remove(0);
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"), "the image's tag");
}

/// Where the schema says what an object has, the values have exactly that.
fn same_names(schema: &Value, values: &Value, at: &str) {
    let Some(properties) = schema["properties"].as_object() else { return };
    assert_eq!(schema["additionalProperties"], false, "{at}: a mistyped name must be told");
    assert!(
        properties.values().all(|one| one["description"].is_string() || one["enum"].is_array()),
        "{at}: say what it is"
    );
    for name in values.as_object().unwrap_or_else(|| panic!("{at}: {values}")).keys() {
        assert!(properties.contains_key(name), "{at}.{name} is not in the schema");
    }
    // `global` belongs to charts above this one.
    for (name, schema) in properties.iter().filter(|(name, _)| *name != "global") {
        let value = values.get(name).unwrap_or_else(|| panic!("{at}.{name} has no default"));
        same_names(schema, value, &format!("{at}.{name}"));
    }
}
