//! `quotad account` and `quotad pool` from end to end: what they print, what they ask for, and their exit status.

use crate::support::{Options, Output, Server, cli};

const LIU: &str = "tenants/uni/users/liu";
const POOL: &str = "tenants/uni/pools/chess";

fn on(server: &Server, command: &[&str], args: &[&str]) -> Output {
    cli(command.iter().chain(&["--addr", server.grpc_addr()]).chain(args))
}

#[test]
fn an_account_is_made_suspended_and_removed() {
    let server = Server::start(Options::new().example("llm-pools"));
    let account = |command: &str, args: &[&str]| on(&server, &["account", command], args);
    let zoe = ["--account", "tenants/uni/users/zoe"];
    let made = account("create", &[&zoe[..], &["--display-name", "Zoe", "--label", "role=student"]].concat());
    assert!(made.status == Some(0) && made.stdout.contains("role=student"), "{made:?}");
    let again = account("create", &zoe);
    assert!(again.status == Some(1) && again.stderr.contains("ACCOUNT_EXISTS"), "{again:?}");
    let set =
        account("set", &[&zoe[..], &["--state", "suspended", "--label", "year=1", "--no-label", "role"]].concat());
    assert!(set.status == Some(0) && set.stdout.contains("suspended") && set.stdout.contains("Zoe"), "{set:?}");
    let json = account("get", &[&zoe[..], &["--json"]].concat()).json();
    assert_eq!(json["account"]["labels"], serde_json::json!({ "year": "1" }));
    assert_eq!(json["account"]["kind"], "users");
    let charge = ["--account", zoe[1], "--meter", "llm.calls", "--amount", "1"];
    let denied = on(&server, &["check"], &charge);
    assert!(denied.status == Some(2) && denied.stdout.contains("does not permit"), "{denied:?}");
    let all = account("list", &["--tenant", "tenants/uni"]);
    assert!(all.stdout.contains(zoe[1]) && all.stdout.contains(LIU), "{all:?}");
    assert_eq!(account("delete", &zoe).stdout.trim(), "deleted");
    assert_eq!(account("get", &zoe).status, Some(1));
}

#[test]
fn a_pool_is_made_changed_and_chosen() {
    let server = Server::start(Options::new().example("llm-pools"));
    let pool = |command: &str, args: &[&str]| on(&server, &["pool", command], args);
    let chess = ["--account", POOL];
    let body = ["--meter", "llm.cost", "--member", LIU, "--allow", "small"];
    let made = pool("create", &[&chess[..], &body].concat());
    assert!(made.status == Some(0) && made.stdout.contains("only small"), "{made:?}");
    let ann = "tenants/uni/users/ann,from=2040-01-01T00:00:00Z";
    let set = pool("set", &[&chess[..], &["--member", ann, "--deny", "large"]].concat());
    assert!(set.status == Some(0) && set.stdout.contains("only small; not large"), "{set:?}");
    let one = pool("get", &chess);
    assert!(one.stdout.contains("2040-01-01T00:00:00Z") && one.stdout.contains(LIU), "{one:?}");

    let by = |id: &str, pool: &str| {
        let account = format!("tenants/uni/users/{id}");
        on(&server, &["pool", "switch"], &["--account", &account, "--pool", &format!("tenants/uni/pools/{pool}")])
    };
    let refused = by("ann", "students");
    assert!(refused.status == Some(1) && refused.stderr.contains("NOT_A_MEMBER"), "{refused:?}");
    assert_eq!(by("liu", "students").stdout.trim(), "chosen: tenants/uni/pools/students");
    let listed = pool("list", &["--member", LIU]);
    let line = |name: &str| listed.stdout.lines().find(|line| line.contains(name)).unwrap_or_default().to_owned();
    assert!(line("pools/students").contains('*') && !line("pools/chess").contains('*'), "{listed:?}");
    assert!(!line("personal/liu").is_empty() && line("personal/ann").is_empty(), "{listed:?}");
    let charge = ["--account", LIU, "--meter", "llm.cost", "--amount", "5"];
    let held = on(&server, &["reserve"], &[&charge[..], &["--item", "gpt-4o-mini"]].concat());
    assert_eq!(held.status, Some(0), "{held:?}");
    let denied = on(&server, &["reserve"], &[&charge[..], &["--item", "opus"]].concat());
    assert!(denied.status == Some(2) && denied.stdout.contains("tenants/uni/pools/students"), "{denied:?}");
    let none = pool("switch", &["--account", LIU, "--none"]);
    assert_eq!(none.stdout.trim(), "no pool is chosen");
    assert_eq!(pool("set", &[&chess[..], &["--enabled", "false"]].concat()).status, Some(0));
    assert!(by("liu", "chess").stderr.contains("POOL_DISABLED"));
    assert_eq!(pool("delete", &chess).stdout.trim(), "deleted");
}
