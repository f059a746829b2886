//! Amounts and times on all interfaces, read from the protocol's own descriptors and from the command line.

use crate::support::{Options, Server, cli};
use prost::Message;
use quotad::proto::DESCRIPTORS;
use std::collections::BTreeSet;

/// Just enough of `FileDescriptorSet` to look at fields: unknown parts are skipped.
#[derive(Clone, PartialEq, Message)]
struct Files {
    #[prost(message, repeated, tag = "1")]
    file: Vec<File>,
}

#[derive(Clone, PartialEq, Message)]
struct File {
    #[prost(string, tag = "2")]
    package: String,
    #[prost(message, repeated, tag = "4")]
    messages: Vec<Type>,
}

#[derive(Clone, PartialEq, Message)]
struct Type {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    fields: Vec<Field>,
}

#[derive(Clone, PartialEq, Message)]
struct Field {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(int32, tag = "5")]
    kind: i32,
    #[prost(string, tag = "6")]
    message: String,
}

/// Field kinds of the descriptor format.
const DOUBLE: i32 = 1;
const FLOAT: i32 = 2;
const INT64: i32 = 3;

/// Every field of the protocol with the name of its message.
fn fields() -> Vec<(String, Field)> {
    let files = Files::decode(DESCRIPTORS).unwrap();
    let own = files.file.into_iter().filter(|file| file.package == "quotad.v1");
    let messages = own.flat_map(|file| file.messages);
    messages.flat_map(|message| message.fields.into_iter().map(move |field| (message.name.clone(), field))).collect()
}

/// X.10: amounts are int64 wherever they stand; the one float is a percentage for people.
#[test]
fn amounts_are_64_bit_integers_in_the_protocol() {
    let fields = fields();
    let floats: BTreeSet<String> = fields
        .iter()
        .filter(|(_, field)| matches!(field.kind, DOUBLE | FLOAT))
        .map(|(message, field)| format!("{message}.{}", field.name))
        .collect();
    assert_eq!(floats.into_iter().collect::<Vec<_>>(), ["WindowUsage.percent"]);
    let amounts = ["amount", "used", "held", "remaining", "available", "requested", "committed", "freed"];
    let checked = fields.iter().filter(|(message, field)| {
        // In a reservation and in the answer to Free these are lists of charges.
        amounts.contains(&field.name.as_str()) && !matches!(message.as_str(), "Reservation" | "FreeResponse")
    });
    let mut count = 0;
    for (message, field) in checked {
        assert_eq!(field.kind, INT64, "{message}.{}", field.name);
        count += 1;
    }
    assert!(count >= 15, "only {count} amounts were found");
}

/// X.09: no request brings a time; the one exception sets the clock of a test.
#[test]
fn time_is_the_servers() {
    let requests = fields().into_iter().filter(|(message, field)| {
        let asks = message.ends_with("Request") && message != "LimitRequest";
        field.message == ".google.protobuf.Timestamp" && (asks || message == "Charge")
    });
    let mut with_time: Vec<String> = requests.map(|(message, field)| format!("{message}.{}", field.name)).collect();
    // The audit is asked for a stretch of the past, and a version of a rate card is named by its start; nothing is decided by them.
    let known = [
        "DeleteRateCardRequest.from_time",
        "GetRateCardRequest.from_time",
        "ListAuditEntriesRequest.end_time",
        "ListAuditEntriesRequest.start_time",
        "SetRequest.time",
    ];
    with_time.sort();
    assert_eq!(with_time, known);
}

/// S0.04, X.10: on the command line too an amount is a whole number; the greatest one comes back digit by digit.
#[test]
fn the_command_line_takes_whole_numbers() {
    let server = Server::start(Options::new().example("ai-platform"));
    let consume = |amount: &str| {
        let charge = ["--account", "tenants/ai/users/u1", "--meter", "annotation.runs", "--amount", amount];
        cli(["consume", "--addr", server.grpc_addr(), "--json"].into_iter().chain(charge))
    };
    for bad in ["1.5", "-1", "1e3", "", "nine", "9223372036854775808"] {
        assert_ne!(consume(bad).status, Some(0), "{bad:?} was taken");
    }
    let most = "9007199254740991";
    let output = consume(most);
    assert_eq!(output.status, Some(0), "{output:?}");
    assert!(output.stdout.contains(&format!("\"{most}\"")), "{output:?}");
    assert_eq!(consume("1").status, Some(2));
}
