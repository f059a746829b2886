//! Health and reflection, as orchestrators and tools ask them.

use super::helpers::*;
use crate::support::Options;
use quotad::proto::v1::{GetRequest, SetRequest, test_clock_service_client::TestClockServiceClient};
use tokio_stream::StreamExt;
use tonic::Code;
use tonic::transport::Channel;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use tonic_reflection::pb::{v1, v1alpha};

const ALWAYS: [&str; 7] = [
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
    "quotad.v1.AdminService",
    "quotad.v1.CatalogService",
    "quotad.v1.QuotaService",
    "quotad.v1.UsageService",
];
const CLOCK: &str = "quotad.v1.TestClockService";

#[tokio::test]
async fn health_of_every_name() {
    for (options, clock) in [(Options::new(), false), (Options::new().test_clock(), true)] {
        let api = Api::with(options).await;
        let mut health = HealthClient::new(api.server.channel());
        let names = ["", "liveness", "readiness"]
            .into_iter()
            .chain(ALWAYS.into_iter().filter(|name| name.starts_with("quotad.")));
        for name in names.chain(clock.then_some(CLOCK)) {
            let answer = health.check(HealthCheckRequest { service: name.into() }).await.unwrap().into_inner();
            assert_eq!(answer.status(), ServingStatus::Serving, "{name:?}");
        }
        for name in ["no.such.Service", "liveness ", "quotad.v1"].into_iter().chain((!clock).then_some(CLOCK)) {
            let status = health.check(HealthCheckRequest { service: name.into() }).await.unwrap_err();
            assert_eq!(status.code(), Code::NotFound, "{name:?}");
        }
    }
}

#[tokio::test]
async fn who_watches_readiness_sees_the_end_coming() {
    let api = Api::with(Options::new()).await;
    let mut health = HealthClient::new(api.server.channel());
    let mut watch = health.watch(HealthCheckRequest { service: "readiness".into() }).await.unwrap().into_inner();
    assert_eq!(watch.next().await.unwrap().unwrap().status(), ServingStatus::Serving);
    let ending = tokio::task::spawn_blocking(move || {
        let mut api = api;
        api.server.terminate()
    });
    let after = watch.next().await;
    let told = after.as_ref().and_then(|answer| answer.as_ref().ok()).map(|answer| answer.status());
    assert_eq!(told, Some(ServingStatus::NotServing), "{after:?}");
    drop((watch, health));
    assert!(ending.await.unwrap().success());
}

async fn listed_v1(channel: Channel) -> Vec<String> {
    use v1::server_reflection_request::MessageRequest;
    use v1::server_reflection_response::MessageResponse;
    let question = MessageRequest::ListServices(String::new());
    let request = v1::ServerReflectionRequest { host: String::new(), message_request: Some(question) };
    let mut client = v1::server_reflection_client::ServerReflectionClient::new(channel);
    let mut answers = client.server_reflection_info(tokio_stream::once(request)).await.unwrap().into_inner();
    let Some(MessageResponse::ListServicesResponse(list)) = answers.next().await.unwrap().unwrap().message_response
    else {
        panic!()
    };
    list.service.into_iter().map(|service| service.name).collect()
}

async fn listed_v1alpha(channel: Channel) -> Vec<String> {
    use v1alpha::server_reflection_request::MessageRequest;
    use v1alpha::server_reflection_response::MessageResponse;
    let question = MessageRequest::ListServices(String::new());
    let request = v1alpha::ServerReflectionRequest { host: String::new(), message_request: Some(question) };
    let mut client = v1alpha::server_reflection_client::ServerReflectionClient::new(channel);
    let mut answers = client.server_reflection_info(tokio_stream::once(request)).await.unwrap().into_inner();
    let Some(MessageResponse::ListServicesResponse(list)) = answers.next().await.unwrap().unwrap().message_response
    else {
        panic!()
    };
    list.service.into_iter().map(|service| service.name).collect()
}

#[tokio::test]
async fn reflection_lists_exactly_what_is_served() {
    for (options, clock) in [(Options::new(), false), (Options::new().test_clock(), true)] {
        let api = Api::with(options).await;
        let mut expected: Vec<&str> = ALWAYS.into_iter().chain(clock.then_some(CLOCK)).collect();
        expected.sort_unstable();
        for mut listed in [listed_v1(api.server.channel()).await, listed_v1alpha(api.server.channel()).await] {
            listed.sort_unstable();
            assert_eq!(listed, expected);
        }
    }
}

#[tokio::test]
async fn reflection_knows_the_details_of_errors() {
    use v1::server_reflection_request::MessageRequest;
    use v1::server_reflection_response::MessageResponse;
    let api = Api::with(Options::new()).await;
    let mut client = v1::server_reflection_client::ServerReflectionClient::new(api.server.channel());
    for symbol in [
        "google.rpc.ErrorInfo",
        "google.rpc.BadRequest",
        "google.rpc.RetryInfo",
        "quotad.v1.Reservation",
        "quotad.v1.QuotaService.Reserve",
    ] {
        let question = MessageRequest::FileContainingSymbol(symbol.into());
        let request = v1::ServerReflectionRequest { host: String::new(), message_request: Some(question) };
        let mut answers = client.server_reflection_info(tokio_stream::once(request)).await.unwrap().into_inner();
        let answer = answers.next().await.unwrap().unwrap().message_response;
        assert!(matches!(answer, Some(MessageResponse::FileDescriptorResponse(_))), "{symbol}: {answer:?}");
    }
}

#[tokio::test]
async fn the_hand_wound_clock_is_served_only_when_asked_for() {
    let api = Api::start().await;
    let mut clock = TestClockServiceClient::new(api.server.channel());
    let read = clock.get(GetRequest {}).await.unwrap().into_inner().time.unwrap();
    assert_eq!(read.seconds * 1000, NOON.millis());
    // It never goes back.
    let early = SetRequest { time: Some(pbjson_types::Timestamp { seconds: read.seconds - 60, nanos: 0 }) };
    assert_eq!(clock.set(early).await.unwrap().into_inner().time.unwrap(), read);
    let nothing = Fault::from(&clock.set(SetRequest { time: None }).await.unwrap_err());
    assert_eq!((nothing.kind(), nothing.names()), ((Code::InvalidArgument, "INVALID_FIELD"), vec!["time"]));
    let odd = SetRequest { time: Some(pbjson_types::Timestamp { seconds: read.seconds, nanos: -1 }) };
    assert_eq!(clock.set(odd).await.unwrap_err().code(), Code::InvalidArgument);

    let without = Api::with(Options::new()).await;
    let mut clock = TestClockServiceClient::new(without.server.channel());
    assert_eq!(clock.get(GetRequest {}).await.unwrap_err().code(), Code::Unimplemented);
}
