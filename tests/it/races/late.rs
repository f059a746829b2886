//! A store that has become slow: who would not wait for it is told so at once, and what ends something is tried all the same.

use crate::api::helpers::*;
use crate::support::redis::RedisServer;
use crate::support::{Options, Proxy, Server};
use quotad::proto::v1::quota_service_client::QuotaServiceClient;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

/// How long Redis' answers are on their way.
const SLOW: Duration = Duration::from_millis(200);
/// How long callers wait.
const HURRY: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(60);
const LATE: &str = "quotad_too_late_total";

/// A reserve of a caller who waits so long; what it was told.
async fn reserve_within(mut quota: QuotaServiceClient<Channel>, id: String, time: Duration) -> Result<(), Status> {
    let charges = vec![charge("tenants/acme/bots/b", "job.calls", 1)];
    let mut request = Request::new(reserve(&id, charges));
    request.set_timeout(time);
    quota.reserve(request).await.map(|answer| drop(granted(answer.into_inner())))
}

/// A call that came to nothing, because its time was over: by the server's clock or by the client's.
fn is_over(status: &Status) -> bool {
    matches!(status.code(), Code::DeadlineExceeded | Code::Cancelled)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_can_not_be_answered_in_time_is_told_before_the_store_is_asked() {
    let redis = RedisServer::start();
    let proxy = Proxy::start(redis.port());
    let url = format!("redis://127.0.0.1:{}", proxy.port());
    let server = Server::start(Options::new().catalog(catalog()).redis(&url, "late:"));
    let late = |rank: &str| server.metric(&format!("{LATE}{{rank=\"{rank}\"}}"));
    reserve_within(server.quota(), "begun".into(), PATIENCE).await.unwrap();
    assert_eq!(late("begin"), 0);

    proxy.delay(SLOW);
    // It takes some steps until it is believed. Callers who have time wait for them.
    let begin = Instant::now();
    let refusal = 'refused: loop {
        assert!(begin.elapsed() < PATIENCE, "nobody was refused");
        let round = begin.elapsed().as_nanos();
        let mut waiting = JoinSet::new();
        for number in 0..16 {
            waiting.spawn(reserve_within(server.quota(), format!("r{round}-{number}"), PATIENCE));
        }
        waiting.join_all().await.into_iter().for_each(Result::unwrap);
        for number in 0..2 {
            match reserve_within(server.quota(), format!("h{round}-{number}"), HURRY).await {
                Err(status) if status.code() == Code::Unavailable => break 'refused status,
                Err(status) => assert!(is_over(&status), "{status:?}"),
                Ok(()) => {}
            }
        }
    };
    let fault = Fault::from(&refusal);
    assert_eq!((fault.kind(), fault.retry), ((Code::Unavailable, "OVERLOADED"), true), "{fault:?}");
    assert!(late("begin") >= 1);

    // What was begun is ended, or its caller's time is over; it is not turned away.
    let mut request = Request::new(commit("begun", vec![]));
    request.set_timeout(HURRY);
    if let Err(status) = server.quota().commit(request).await {
        assert!(is_over(&status), "{status:?}");
    }
    assert_eq!(late("end"), 0);

    // Quick again, it is noticed although everybody is in a hurry.
    proxy.delay(Duration::ZERO);
    let begin = Instant::now();
    for number in 0.. {
        match reserve_within(server.quota(), format!("q{number}"), HURRY).await {
            Ok(()) => break,
            Err(status) => assert!(is_over(&status) || status.code() == Code::Unavailable, "{status:?}"),
        }
        assert!(begin.elapsed() < PATIENCE, "it stays too late");
    }
}
