//! `Check`: every limit on the path with its figures, and nothing held.

use super::helpers::*;
use quotad::proto::v1::{check_response::Outcome, *};

fn request(charges: Vec<Charge>) -> CheckRequest {
    CheckRequest { tenant: TENANT.into(), charges }
}

fn line(account: &str, limit: i64, used: i64, held: i64) -> AllowanceLine {
    AllowanceLine {
        account: account.into(),
        meter: "job.runs".into(),
        window: "lifetime".into(),
        limit: Some(limit),
        used,
        held,
        remaining: Some(limit - used - held),
    }
}

#[tokio::test]
async fn a_yes_shows_every_limit_of_the_path_before_the_request() {
    let api = Api::start().await;
    api.hold("held", runs("a", 2)).await;
    api.used("used", runs("a", 3)).await;
    let mut charges = runs("a", 4);
    charges[0].also.push("tenants/acme/projects/p1".into());
    let before = api.digest().await;
    let Some(Outcome::Granted(mut allowance)) = api.check(request(charges)).await.unwrap().outcome else {
        panic!("denied")
    };
    allowance.limits.sort_by(|a, b| a.account.cmp(&b.account));
    let expected = [line(TENANT, 1000, 3, 2), line("tenants/acme/projects/p1", 5, 0, 0), line(&user("a"), 10, 3, 2)];
    assert_eq!(allowance.limits, expected);
    assert_eq!(api.digest().await, before);
}

#[tokio::test]
async fn a_no_is_what_reserve_would_say() {
    let api = Api::start().await;
    api.used("used", runs("u1", 2)).await;
    for (charges, cause) in [
        (runs("u1", 2), Cause::Spent),
        (vec![charge(&user("u1"), "job.strict", 1)], Cause::NoQuota),
        (vec![charge("tenants/acme/shared/s", "job.runs", 3)], Cause::HoldShare),
    ] {
        let Some(Outcome::Denied(checked)) = api.check(request(charges.clone())).await.unwrap().outcome else {
            panic!("{cause:?} granted")
        };
        assert_eq!(checked.violations[0].cause(), cause, "{checked:?}");
        assert_eq!(checked, denied(api.reserve(reserve("", charges)).await.unwrap()));
    }
}

#[tokio::test]
async fn without_any_limit_the_answer_is_yes() {
    let api = Api::start().await;
    let charges = vec![charge("tenants/acme/bots/b", "job.calls", 1_000_000)];
    let Some(Outcome::Granted(allowance)) = api.check(request(charges)).await.unwrap().outcome else {
        panic!("denied")
    };
    assert!(allowance.limits.iter().all(|line| line.limit.is_none() && line.remaining.is_none()), "{allowance:?}");
}
