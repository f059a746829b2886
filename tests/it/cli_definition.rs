//! `quotad meter`, `quotad plan` and `quotad card` from end to end: what they print, what they ask for, and their exit status.

use crate::support::{Options, Output, Server, TempDir, cli, cli_with};

const USER: &str = "tenants/ai/users/u2";

fn on(server: &Server, command: &[&str], args: &[&str]) -> Output {
    cli(command.iter().chain(&["--addr", server.grpc_addr()]).chain(args))
}

/// A file with this text, and its path.
fn file(folder: &TempDir, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn example() -> Server {
    Server::start(Options::new().example("ai-platform"))
}

#[test]
fn a_meter_is_made_changed_and_removed() {
    let server = example();
    let meter = |command: &str, args: &[&str]| on(&server, &["meter", command], args);
    let labels = ["--meter", "labels"];
    let body = ["--unit", "picture", "--default-policy", "deny", "--max-limit", "100", "--display-name", "en=Labels"];
    let made = meter("create", &[&labels[..], &body].concat());
    assert!(made.status == Some(0) && made.stdout.contains("denied without a quota, limits 0 to 100"), "{made:?}");
    let charge = ["--account", USER, "--meter", "labels", "--amount", "4"];
    assert_eq!(on(&server, &["reserve"], &charge).status, Some(2), "denied at once");
    let again = meter("create", &labels);
    assert!(again.status == Some(1) && again.stderr.contains("METER_EXISTS"), "{again:?}");
    let set = meter("update", &[&labels[..], &["--default-policy", "allow", "--no-max-limit"]].concat());
    assert!(set.status == Some(0) && set.stdout.contains("picture") && !set.stdout.contains("limits"), "{set:?}");
    assert_eq!(on(&server, &["reserve"], &charge).status, Some(0), "what was not named stayed");
    let one = meter("get", &labels);
    assert!(one.stdout.contains("Labels") && one.stdout.contains("installation"), "{one:?}");
    let json = meter("get", &[&labels[..], &["--json"]].concat()).json();
    assert_eq!(
        (&json["meter"]["displayNames"]["en"], &json["meter"]["mayBeUnlimited"]),
        (&"Labels".into(), &true.into())
    );
    let stale = meter("update", &[&labels[..], &["--unit", "x", "--etag", "0"]].concat());
    assert!(stale.status == Some(1) && stale.stderr.contains("ETAG_MISMATCH"), "{stale:?}");
    let used = meter("delete", &["--meter", "training.runs"]);
    assert!(used.status == Some(1) && used.stderr.contains("METER_IN_USE"), "{used:?}");
    let all = meter("list", &["--tenant", "tenants/ai"]);
    assert!(all.stdout.contains("labels") && all.stdout.contains("training.runs"), "{all:?}");
    assert_eq!(meter("delete", &labels).stdout.trim(), "deleted");
    let gone = meter("delete", &labels);
    assert!(gone.status == Some(1) && gone.stderr.contains("METER_NOT_FOUND"), "{gone:?}");
}

#[test]
fn a_name_is_taken_away_by_an_empty_one() {
    let server = example();
    let names = ["--display-name", "en=Labels", "--display-name", "zh=标注", "--unit-name", "en=picture"];
    let made = on(&server, &["meter", "create"], &[&["--meter", "labels"][..], &names].concat());
    assert_eq!(made.status, Some(0), "{made:?}");
    let less = ["--meter", "labels", "--display-name", "en=", "--unit-name", "en=", "--json"];
    let left = on(&server, &["meter", "update"], &less).json();
    assert_eq!(left["meter"]["displayNames"], serde_json::json!({ "zh": "标注" }));
    assert!(left["meter"].get("unitNames").is_none_or(|names| names == &serde_json::json!({})), "{left}");
}

#[test]
fn the_environment_says_which_tenant() {
    let server = example();
    let tenant = [("QUOTAD_TENANT", "tenants/ai")];
    let run = |command: &[&str], args: &[&str]| {
        cli_with(command.iter().chain(&["--addr", server.grpc_addr()]).chain(args), &tenant, "")
    };
    assert_eq!(run(&["meter", "create"], &["--meter", "labels"]).status, Some(0));
    assert!(run(&["meter", "get"], &["--meter", "labels"]).stdout.contains("tenants/ai"));
    let above = run(&["meter", "get"], &["--meter", "labels", "--tenant", ""]);
    assert!(above.stderr.contains("METER_NOT_FOUND"), "the command line wins: {above:?}");
    assert_eq!(run(&["plan", "create"], &["--plan", "own"]).status, Some(0));
    let quota = ["--subject", "plans/own", "--meter", "labels", "--limit", "lifetime=4"];
    assert_eq!(run(&["quota", "set"], &quota).status, Some(0), "of the same plan");
    assert!(run(&["plan", "get"], &["--plan", "own"]).stdout.contains("lifetime 4"));
    assert!(run(&["quota", "list"], &["--meter", "labels"]).stdout.contains("plans/own"));
    let folder = TempDir::new("cards");
    let path = file(&folder, "card.yaml", "{meter: labels, from: 2020-01-01T00:00:00Z}");
    assert_eq!(run(&["card", "create"], &["-f", &path]).status, Some(0));
    assert!(run(&["card", "list"], &[]).stdout.contains("tenants/ai"));
}

#[test]
fn standard_input_is_named() {
    let server = example();
    let addr = ["--addr", server.grpc_addr()];
    for (command, input) in
        [(["meter", "create"], "name: labels\ncolour: red\n"), (["plan", "update"], "colour: red\n")]
    {
        let bad = cli_with(command.iter().chain(&addr).chain(&["-f", "-"]), &[], input);
        assert!(bad.status == Some(1) && bad.stderr.contains("error: standard input has"), "{bad:?}");
    }
    let made = cli_with(["meter", "create"].iter().chain(&addr).chain(&["-f", "-"]), &[], "name: labels\n");
    assert_eq!(made.status, Some(0), "{made:?}");
}

#[test]
fn a_file_says_the_whole_meter() {
    let server = example();
    let folder = TempDir::new("meters");
    let own = ["--tenant", "tenants/ai"];
    let put = |command: &str, text: &str| {
        let path = file(&folder, "meter.yaml", text);
        on(&server, &["meter", command], &[&own[..], &["-f", &path]].concat())
    };
    let made =
        put("create", "- name: labels\n  unit: picture\n  decimals: 2\n  overage: refuse\n  max_limit: \"9.50\"\n");
    assert!(made.status == Some(0) && made.stdout.contains("overage refuse, limits 0 to 950"), "{made:?}");
    assert!(made.stdout.contains("tenants/ai"), "{made:?}");
    let set = put("update", "{name: labels, decimals: 2, admission: positive}");
    assert!(
        set.status == Some(0) && set.stdout.contains("positive balance") && !set.stdout.contains("overage"),
        "{set:?}"
    );
    let bad = put("update", "name: labels\ndecimals: 12\ncolour: red\n");
    assert_eq!(bad.status, Some(1));
    assert!(
        bad.stderr.contains("has 2 faults\n  line 2: decimals: must be")
            && bad.stderr.contains("\n  line 3: colour: unknown key"),
        "{bad:?}"
    );
    let fixed = put("update", "{name: labels, decimals: 3}");
    assert!(fixed.stderr.contains("meter.decimals: can't be changed once the meter exists"), "{fixed:?}");
    let both = on(&server, &["meter", "update"], &["-f", "x.yaml", "--unit", "run"]);
    assert!(both.status == Some(1) && both.stderr.contains("cannot be used with"), "{both:?}");
    let missing = on(&server, &["meter", "update"], &["-f", &folder.path().join("none").display().to_string()]);
    assert_eq!(missing.status, Some(1), "{missing:?}");
}

#[test]
fn a_plan_is_made_changed_and_removed() {
    let server = example();
    let plan = |command: &str, args: &[&str]| on(&server, &["plan", command], args);
    let vip = ["--tenant", "tenants/ai", "--plan", "silver"];
    let made =
        plan("create", &[&vip[..], &["--display-name", "Silver", "--feature", "own", "--feature", "more"]].concat());
    assert!(made.status == Some(0) && made.stdout.contains("more, own"), "{made:?}");
    let quota =
        ["--tenant", "tenants/ai", "--subject", "plans/silver", "--meter", "training.runs", "--limit", "lifetime=4"];
    assert_eq!(on(&server, &["quota", "set"], &quota).status, Some(0));
    let set = plan("update", &[&vip[..], &["--no-feature", "own"]].concat());
    assert!(set.status == Some(0) && set.stdout.contains("Silver") && !set.stdout.contains("own"), "{set:?}");
    let one = plan("get", &vip);
    assert!(one.stdout.contains("Silver") && one.stdout.contains("lifetime 4"), "with its quotas: {one:?}");
    let json = plan("get", &[&vip[..], &["--json"]].concat()).json();
    assert_eq!(
        (&json["plan"]["features"][0], &json["quotas"][0]["limits"][0]["amount"]),
        (&"more".into(), &"4".into())
    );
    let record = ["--account", USER, "--plan", "silver"];
    assert_eq!(on(&server, &["account", "create"], &record).status, Some(0));
    let used = plan("delete", &vip);
    assert!(used.status == Some(1) && used.stderr.contains(&format!("in use by {USER}")), "{used:?}");
    assert_eq!(on(&server, &["account", "set"], &["--account", USER, "--plan", ""]).status, Some(0));
    let folder = TempDir::new("plans");
    let path = file(&folder, "plan.yaml", "{name: silver, display_name: Plain}");
    let whole = plan("update", &["--tenant", "tenants/ai", "-f", &path]);
    assert!(whole.status == Some(0) && whole.stdout.contains("Plain") && !whole.stdout.contains("more"), "{whole:?}");
    let path = file(&folder, "plan.yaml", "name: silver\nquotas: [{meter: training.runs, limits: {day: 1}}]\n");
    let apart = plan("create", &["-f", &path]);
    assert!(apart.status == Some(1) && apart.stderr.contains("line 2: quotas: are set apart"), "{apart:?}");
    assert!(plan("list", &["--tenant", "tenants/ai"]).stdout.contains("silver"));
    assert_eq!(plan("delete", &vip).stdout.trim(), "deleted");
    assert!(plan("get", &vip).stderr.contains("PLAN_NOT_FOUND"));
}

#[test]
fn a_rate_card_is_made_changed_and_removed() {
    let server = example();
    let folder = TempDir::new("cards");
    let cost = ["--meter", "cost", "--unit", "CNY", "--decimals", "6"];
    assert_eq!(on(&server, &["meter", "create"], &cost).status, Some(0));
    let card = |command: &str, args: &[&str]| on(&server, &["card", command], args);
    let text = |price: &str| {
        format!(
            "meter: cost\nfrom: 2020-01-01T00:00:00Z\nprices:\n  - {{item: gpt, currency: USD, per: 1_000, \
             components: {{input: \"{price}\"}}}}\ndiscounts: [{{service: chat, factor: 0.8}}]\nrates: [{{currency: USD, rate: 7.2}}]\n"
        )
    };
    let path = file(&folder, "card.yaml", &text("2"));
    let made = card("create", &["-f", &path]);
    assert!(made.status == Some(0) && made.stdout.contains("2020-01-01T00:00:00Z"), "{made:?}");
    assert!(card("create", &["-f", &path]).stderr.contains("RATE_CARD_EXISTS"));
    let used = ["--account", USER, "--meter", "cost", "--item", "gpt", "--quantity", "input=1000"];
    let priced = on(&server, &["consume"], &[&used[..], &["--json"]].concat());
    assert!(priced.status == Some(0) && priced.stdout.contains("14400000"), "2 USD at 7.2: {priced:?}");
    assert_eq!(card("update", &["-f", &file(&folder, "card.yaml", &text("3"))]).status, Some(0));
    let one = card("get", &["--meter", "cost"]);
    for part in ["input 3.00", "USD", "chat", "0.80", "7.20"] {
        assert!(one.stdout.contains(part), "{part}: {one:?}");
    }
    let json = card("get", &["--meter", "cost", "--from", "2020-01-01T00:00:00Z", "--json"]).json();
    assert_eq!(json["rateCard"]["fromTime"], "2020-01-01T00:00:00Z");
    assert_eq!(json["rateCard"]["prices"][0]["components"]["input"], "3.00");
    let all = card("list", &["--tenant", "tenants/ai", "--meter", "cost"]);
    assert!(all.stdout.contains("2020-01-01T00:00:00Z") && all.stdout.contains("installation"), "{all:?}");
    let at = ["--meter", "cost", "--from", "2020-01-01T00:00:00Z"];
    assert_eq!(card("delete", &at).stdout.trim(), "deleted");
    assert!(card("delete", &at).stderr.contains("RATE_CARD_NOT_FOUND"));
    assert!(card("get", &["--meter", "cost"]).stderr.contains("RATE_CARD_NOT_FOUND"));
}

#[test]
fn help_shows_words_and_examples() {
    for (args, parts) in [
        (
            ["meter", "create"],
            &["[possible values: give_back, charge, park]", "quotad meter create --meter training.runs"][..],
        ),
        (["plan", "update"], &["quotad quota set --subject plans/vip", "--no-feature"]),
        (["card", "create"], &["rates: [{currency: USD"]),
    ] {
        let help = cli(args.iter().chain(&["--help"]));
        assert_eq!(help.status, Some(0));
        assert!(parts.iter().all(|part| help.stdout.contains(part)), "{help:?}");
    }
}
