//! Writes YAML: as a document, or as one line. Text is quoted unless it can only be read as itself.

use std::fmt::Write;

/// A value to be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Yaml {
    /// A text.
    Text(String),
    /// Anything that needs no quotes: a number, `true`.
    Bare(String),
    /// A list.
    List(Vec<Yaml>),
    /// A map, in order.
    Map(Vec<(String, Yaml)>),
}

impl Yaml {
    /// As one line: `{subject: tenants/acme, limits: {day: 5}}`.
    pub fn line(&self) -> String {
        let mut out = String::new();
        self.write_flow(&mut out);
        out
    }

    /// As a document in block style; an empty map is an empty document.
    pub fn document(&self) -> String {
        let mut out = String::new();
        if *self != Yaml::Map(Vec::new()) {
            self.write_block(&mut out, 0, false);
        }
        out
    }

    fn write_flow(&self, out: &mut String) {
        match self {
            Yaml::Text(text) => quote(out, text),
            Yaml::Bare(text) => out.push_str(text),
            Yaml::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    out.push_str(if index == 0 { "" } else { ", " });
                    item.write_flow(out);
                }
                out.push(']');
            }
            Yaml::Map(entries) => {
                out.push('{');
                for (index, (key, value)) in entries.iter().enumerate() {
                    out.push_str(if index == 0 { "" } else { ", " });
                    quote(out, key);
                    out.push_str(": ");
                    value.write_flow(out);
                }
                out.push('}');
            }
        }
    }

    /// `started`: the first line of this value continues a line, after `- `.
    fn write_block(&self, out: &mut String, indent: usize, started: bool) {
        match self {
            Yaml::List(items) if !items.is_empty() => {
                for item in items {
                    pad(out, indent);
                    out.push_str("- ");
                    match item {
                        Yaml::Map(entries) if !entries.is_empty() => item.write_block(out, indent + 2, true),
                        _ => item.write_end_of_line(out),
                    }
                }
            }
            Yaml::Map(entries) if !entries.is_empty() => {
                for (index, (key, value)) in entries.iter().enumerate() {
                    if !(started && index == 0) {
                        pad(out, indent);
                    }
                    quote(out, key);
                    out.push(':');
                    match value {
                        Yaml::List(items) if !items.is_empty() => {
                            out.push('\n');
                            value.write_block(out, indent + 2, false);
                        }
                        Yaml::Map(entries) if entries.iter().any(|(_, value)| matches!(value, Yaml::Map(_))) => {
                            out.push('\n');
                            value.write_block(out, indent + 2, false);
                        }
                        _ => {
                            out.push(' ');
                            value.write_end_of_line(out);
                        }
                    }
                }
            }
            _ => self.write_end_of_line(out),
        }
    }

    fn write_end_of_line(&self, out: &mut String) {
        self.write_flow(out);
        out.push('\n');
    }
}

fn pad(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

/// Words that other readers take for something else than text.
const RESERVED: [&str; 11] = ["true", "false", "yes", "no", "on", "off", "y", "n", "null", "nan", "inf"];

fn quote(out: &mut String, text: &str) {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-./@+~".contains(&b))
        && !RESERVED.iter().any(|word| text.eq_ignore_ascii_case(word));
    if plain {
        out.push_str(text);
        return;
    }
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if is_invisible(c) => {
                // All that are escaped so lie below U+10000. Writing to a String can't fail.
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Control characters, further line breaks, marks and other characters that YAML does not take as they are.
fn is_invisible(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{FEFF}' | '\u{FFFE}' | '\u{FFFF}')
}
