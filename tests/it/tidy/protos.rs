//! The protocol's house rules (`proto/README.md`): everything has a comment, requests say what is required, and every
//! reason is one that the server can give.

use super::source::has_word;
use super::tree::{Complaints, files, read};

/// How the comment of a request's field begins.
const OPENINGS: &[&str] = &["Required.", "Optional.", "Optional,", "Output only.", "Immutable."];

/// A declaration of a proto file with what stands around it.
struct Declaration {
    line: usize,
    text: String,
    comment: String,
    /// The blocks it stands in, outermost first: `message X`, `oneof y`.
    inside: Vec<String>,
}

/// The declarations of a proto file, in order: messages, enums, services, oneofs, RPCs, fields, values.
fn declarations(text: &str) -> Vec<Declaration> {
    let (mut found, mut inside, mut comment) = (Vec::new(), Vec::new(), String::new());
    let mut goes_on = false;
    for (i, line) in text.lines().enumerate() {
        let (code, trailing) =
            line.split_once("//").map_or((line, None), |(code, comment)| (code, Some(comment.trim())));
        let code = code.trim();
        if code.is_empty() {
            match trailing {
                Some(more) => comment = format!("{comment} {more}").trim().to_owned(),
                None => comment.clear(),
            }
            continue;
        }
        let first_word = code.split_whitespace().next().unwrap_or_default();
        let declares = !goes_on && !["syntax", "package", "import", "option", "reserved", "}"].contains(&first_word);
        if declares && !code.starts_with('}') {
            let comment = if comment.is_empty() { trailing.unwrap_or_default().to_owned() } else { comment.clone() };
            found.push(Declaration { line: i + 1, text: code.to_owned(), comment, inside: inside.clone() });
        }
        for c in code.chars() {
            match c {
                '{' => inside.push(code.trim_end_matches(['{', '}', ' ']).to_owned()),
                '}' => drop(inside.pop()),
                _ => {}
            }
        }
        goes_on = !code.ends_with([';', '{', '}']);
        comment.clear();
    }
    found
}

#[test]
fn everything_in_the_protocol_has_a_comment() {
    let mut complaints = Complaints::default();
    for file in files("proto", "proto") {
        for declaration in declarations(&read(&file).unwrap()).iter().filter(|d| d.comment.is_empty()) {
            complaints.add(&file, declaration.line, format!("`{}` needs a comment right above it", declaration.text));
        }
    }
    complaints.finish();
}

#[test]
fn requests_say_what_is_required() {
    let mut complaints = Complaints::default();
    for file in files("proto/quotad", "proto") {
        for declaration in declarations(&read(&file).unwrap()) {
            let of_a_request = declaration.inside.len() == 1 && declaration.inside[0].ends_with("Request");
            if of_a_request && !OPENINGS.iter().any(|opening| declaration.comment.starts_with(opening)) {
                let what = format!("the comment of `{}` begins with one of {OPENINGS:?}", declaration.text);
                complaints.add(&file, declaration.line, what);
            }
        }
    }
    complaints.finish();
}

#[test]
fn every_reason_is_given_by_the_table_of_errors() {
    let (reasons, table) = ("proto/quotad/v1/error_reason.proto", "src/services/status.rs");
    let Some(status) = read(table) else { return };
    let mut complaints = Complaints::default();
    for declaration in declarations(&read(reasons).unwrap()) {
        let Some(value) = declaration.text.strip_prefix("ERROR_REASON_") else { continue };
        let name = value.split([' ', '=']).next().unwrap_or_default();
        if name != "UNSPECIFIED" && !has_word(&status, name) && !has_word(&status, &variant(name)) {
            complaints.add(
                reasons,
                declaration.line,
                format!("{name} is not in {table}: add it there, or take it out here"),
            );
        }
    }
    complaints.finish();
}

/// The Rust variant of a value's name.
fn variant(name: &str) -> String {
    let capitalized = |part: &str| part[..1].to_owned() + &part[1..].to_lowercase();
    name.split('_').filter(|part| !part.is_empty()).map(capitalized).collect()
}

#[test]
fn declarations_are_found_with_their_comments() {
    let text = "syntax = \"proto3\";\n\n// A.\nmessage A {\n  // Required. B,\n  // long.\n  string b = 1;\n  int32 c = 2; // Trailing.\n  \
                // O.\n  oneof o {\n    D d = 3;\n  }\n}\n// E.\nmessage E {}\n";
    let found: Vec<String> = declarations(text)
        .iter()
        .map(|d| format!("{} {} | {} | {}", d.line, d.text, d.comment, d.inside.join(" > ")))
        .collect();
    assert_eq!(
        found,
        [
            "4 message A { | A. | ",
            "7 string b = 1; | Required. B, long. | message A",
            "8 int32 c = 2; | Trailing. | message A",
            "10 oneof o { | O. | message A",
            "11 D d = 3; |  | message A > oneof o",
            "15 message E {} | E. | ",
        ]
    );
    assert_eq!(variant("RESERVATION_NOT_FOUND"), "ReservationNotFound");
}
