//! `quotad quota` from end to end: what it prints, what it asks for, and its exit status.

use crate::support::{Options, Output, Server, cli};

const NAME: [&str; 4] = ["--subject", "tenants/ai/users/u1", "--meter", "training.runs"];

fn quota(server: &Server, command: &str, args: &[&str]) -> Output {
    let addr = ["--addr", server.grpc_addr()];
    cli(["quota", command].iter().chain(&addr).chain(args))
}

fn named<'a>(more: &[&'a str]) -> Vec<&'a str> {
    NAME.iter().chain(more).copied().collect()
}

#[test]
fn a_quota_is_set_edited_and_deleted() {
    let server = Server::start(Options::new().example("ai-platform"));
    let set = quota(&server, "set", &named(&["--limit", "lifetime=5"]));
    assert_eq!((set.status, set.stderr.contains("QUOTA_EXISTS")), (Some(1), true), "{set:?}");
    let more = ["--limit", "lifetime=5", "--limit", "day=2,zone=UTC", "--note", "for now", "--if-current", "supersede"];
    let set = quota(&server, "set", &named(&more));
    assert!(set.status == Some(0) && set.stdout.contains("lifetime 5, day 2 (zone UTC)"), "{set:?}");
    let wrong = quota(&server, "edit", &named(&["--limit", "lifetime=6", "--version", "1"]));
    assert!(wrong.status == Some(1) && wrong.stderr.contains("that is 2"), "{wrong:?}");
    let edited = quota(&server, "edit", &named(&["--limit", "lifetime=6", "--version", "2", "--shadow"]));
    assert!(edited.status == Some(0) && edited.stdout.contains("lifetime 6, shadow"), "{edited:?}");
    let history = quota(&server, "history", &named(&["--json"])).json();
    assert_eq!(history["quotas"].as_array().unwrap().len(), 2);
    assert_eq!(history["quotas"][1]["state"], "QUOTA_STATE_CLOSED");
    let back = quota(&server, "delete", &named(&["--reopen"]));
    assert!(back.status == Some(0) && back.stdout.contains("lifetime 3"), "{back:?}");
    assert!(quota(&server, "get", &NAME).stdout.contains("lifetime 3"));
    assert_eq!(quota(&server, "delete", &NAME).stdout.trim(), "deleted");
    assert_eq!(quota(&server, "get", &NAME).status, Some(1));
    assert!(quota(&server, "history", &NAME).stdout.contains("deleted"));
    let all = quota(&server, "list", &["--tenant", "tenants/ai", "--meter", "training.runs"]);
    assert!(all.stdout.contains("tenants/ai/users/-") && !all.stdout.contains("users/u1"), "{all:?}");
}

#[test]
fn a_word_that_is_no_limit_says_what_to_write() {
    let wrong = cli(["quota", "set"].iter().chain(&NAME).chain(&["--limit", "fortnight=3"]));
    assert!(wrong.status == Some(1) && wrong.stderr.contains("lifetime, minute, hour"), "{wrong:?}");
}
