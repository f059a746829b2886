//! Reads the `quotas` of a document. Amounts stay text here: their decimals are the meter's, which may stand in the
//! catalog or further down.

use super::account::feature;
use super::amount::read_length;
use super::errors::{Place, Problems};
use super::fields::{Fields, scalar};
use super::yaml::{Node, Value};
use crate::domain::name::MeterName;
use crate::domain::quota::{Enforcement, Raise, Subject};
use crate::domain::time::{Span, Timestamp};
use crate::domain::window::{WindowKind, WindowSpec};

const KEYS: [&str; 9] =
    ["subject", "meter", "limits", "raise", "top_up", "hold_share_percent", "enforcement", "locked_without", "note"];
const PLAN_QUOTA_KEYS: [&str; 7] = ["meter", "limits", "raise", "top_up", "hold_share_percent", "enforcement", "note"];
const RAISE_KEYS: [&str; 2] = ["limits", "until"];
const LIMIT_KEYS: [&str; 5] = ["amount", "zone", "anchor", "length", "cron"];
/// The longest note, in bytes.
pub const MAX_NOTE: usize = 65_536;

/// The kinds of window by their keys.
pub const KINDS: [(&str, WindowKind); 10] = [
    ("lifetime", WindowKind::Lifetime),
    ("minute", WindowKind::Minute),
    ("hour", WindowKind::Hour),
    ("day", WindowKind::Day),
    ("week", WindowKind::Week),
    ("month", WindowKind::Month),
    ("year", WindowKind::Year),
    ("cron", WindowKind::Cron),
    ("sliding", WindowKind::Sliding),
    ("rate", WindowKind::Rate),
];
/// Words of the enforcements, the default first.
pub const ENFORCEMENTS: [(&str, Enforcement); 2] = [("enforce", Enforcement::Enforce), ("shadow", Enforcement::Shadow)];

/// A quota as it stands in the document.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DraftQuota {
    /// Where.
    pub at: Place,
    /// Whose.
    pub subject: Subject,
    /// Where its subject stands.
    pub subject_at: Place,
    /// On which meter.
    pub meter: MeterName,
    /// Where its meter stands.
    pub meter_at: Place,
    /// The limits.
    pub limits: Vec<DraftLimit>,
    /// Higher limits for some time.
    pub raise: DraftRaise,
    /// The top-up.
    pub top_up: Option<DraftAmount>,
    /// The share of a limit that one hold may take, in percent.
    pub hold_share_percent: Option<u8>,
    /// Whether it denies.
    pub enforcement: Enforcement,
    /// The feature without which it is locked.
    pub locked_without: Option<String>,
    /// The note.
    pub note: String,
}

/// A limit as it stands in the document.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DraftLimit {
    /// Where.
    pub at: Place,
    /// Over what time; it compiles.
    pub window: WindowSpec,
    /// How much; `None`: unlimited.
    pub amount: Option<DraftAmount>,
}

/// What a draft says of a raise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DraftRaise {
    /// Nothing: an edit keeps the one that stands, else there is none.
    Unsaid,
    /// That there is none.
    Ended,
    /// This one.
    Given(GivenRaise),
    /// The one that stands, as far as it still raises something.
    Kept(Raise),
}

/// A raise as it stands in the document.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GivenRaise {
    /// Where.
    pub at: Place,
    /// The limits; of their windows perhaps only the kind.
    pub limits: Vec<DraftLimit>,
    /// Until when.
    pub until: Timestamp,
}

/// An amount as it was given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DraftAmount {
    /// Where.
    pub at: Place,
    /// How much.
    pub value: DraftValue,
}

/// The two ways of giving an amount.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DraftValue {
    /// A decimal, in the meter's unit.
    Text(String),
    /// A whole number, in the meter's smallest unit.
    Units(i64),
}

/// Reads one quota; that of a plan has no subject of its own.
pub fn read_quota(node: &Node<'_>, at: &Place, plan: Option<&str>, problems: &mut Problems) -> Option<DraftQuota> {
    let known: &[&'static str] = if plan.is_some() { &PLAN_QUOTA_KEYS } else { &KEYS };
    let fields = Fields::open(node, at, known, problems)?;
    let subject = match plan {
        Some(plan) => Some(Subject::Plan(plan.to_owned())),
        None => fields.needed("subject", Subject::parse, problems),
    };
    let meter = fields.needed("meter", |text| text.parse::<MeterName>(), problems);
    let limits = read_limits(&fields, problems);
    let raise = read_raise(&fields, problems);
    let top_up = fields.text("top_up", usize::MAX, problems);
    let named =
        matches!(fields.get("limits"), Some((Node { value: Value::Map(windows), .. }, _)) if !windows.is_empty());
    if top_up.is_some() && !named {
        problems.add(&fields.place("top_up"), "a top-up stands beside limits: name at least one window under limits");
    }
    let hold_share_percent = fields.number("hold_share_percent", 1..=100, problems);
    let enforcement = fields.choice("enforcement", &ENFORCEMENTS, problems);
    let locked_without = fields.get("locked_without").and_then(|_| fields.needed("locked_without", feature, problems));
    let note = fields.text("note", MAX_NOTE, problems).unwrap_or_default();
    Some(DraftQuota {
        at: at.clone(),
        subject: subject?,
        subject_at: fields.place("subject"),
        meter: meter?,
        meter_at: fields.place("meter"),
        limits,
        raise,
        top_up: top_up.map(|text| DraftAmount { at: fields.place("top_up"), value: DraftValue::Text(text) }),
        hold_share_percent,
        enforcement,
        locked_without,
        note,
    })
}

fn read_limits(fields: &Fields<'_, '_>, problems: &mut Problems) -> Vec<DraftLimit> {
    if let Some(at) = fields.empty("limits") {
        problems.add(&at, "names no window: say lifetime, day, month ... with an amount, or leave the key out");
    }
    let Some((node, at)) = fields.get("limits") else { return Vec::new() };
    let names = KINDS.map(|(name, _)| name);
    let Some(windows) = Fields::open(node, &at, &names, problems) else { return Vec::new() };
    KINDS
        .iter()
        .filter_map(|(name, kind)| {
            // A forgotten number must not lift the limit.
            if let Some(at) = windows.empty(name) {
                problems.add(&at, "has no amount: give a number, or say unlimited");
            }
            let (node, at) = windows.get(name)?;
            read_limit(node, &at, *kind, problems)
        })
        .collect()
}

/// Reads `5`, `unlimited` or a map with an amount and the window's shape.
fn read_limit(node: &Node<'_>, at: &Place, kind: WindowKind, problems: &mut Problems) -> Option<DraftLimit> {
    let mut window = WindowSpec { kind, zone: None, anchor: None, length: None, cron: None };
    let amount = if let Value::Map(_) = node.value {
        let fields = Fields::open(node, at, &LIMIT_KEYS, problems)?;
        window.zone = fields.text("zone", usize::MAX, problems);
        window.anchor = fields.text("anchor", usize::MAX, problems);
        window.cron = fields.text("cron", usize::MAX, problems);
        window.length = fields.get("length").and_then(|_| fields.needed("length", read_length, problems));
        check_window(&window, fields.get("length").is_some(), |field| fields.place(field), problems);
        fields
            .needed("amount", |text| Ok::<_, String>(text.to_owned()), problems)
            .map(|text| (fields.place("amount"), text))
    } else {
        if let Err(error) = window.compile("UTC") {
            problems.add(at, error.to_string());
        }
        scalar(node, at, usize::MAX, problems).map(|text| (at.clone(), text))
    };
    let (amount_at, text) = amount?;
    Some(DraftLimit { at: at.clone(), window, amount: amount_or_unlimited(amount_at, text) })
}

fn amount_or_unlimited(at: Place, text: String) -> Option<DraftAmount> {
    let limited = !text.eq_ignore_ascii_case("unlimited");
    limited.then_some(DraftAmount { at, value: DraftValue::Text(text) })
}

/// Reads a raise. Its limits are amounts: their windows are those of the quota's own limits.
fn read_raise(fields: &Fields<'_, '_>, problems: &mut Problems) -> DraftRaise {
    if let Some(at) = fields.empty("raise") {
        problems.add(&at, "raises nothing: say limits and until, or leave the key out");
    }
    let Some((node, at)) = fields.get("raise") else { return DraftRaise::Unsaid };
    let Some(fields) = Fields::open(node, &at, &RAISE_KEYS, problems) else { return DraftRaise::Unsaid };
    let until = fields.needed("until", |text| text.parse::<Timestamp>(), problems);
    let limits = read_raised_limits(&fields, problems);
    until.map_or(DraftRaise::Unsaid, |until| DraftRaise::Given(GivenRaise { at, limits, until }))
}

fn read_raised_limits(fields: &Fields<'_, '_>, problems: &mut Problems) -> Vec<DraftLimit> {
    let Some((node, at)) = fields.get("limits") else { return Vec::new() };
    let names = KINDS.map(|(name, _)| name);
    let Some(windows) = Fields::open(node, &at, &names, problems) else { return Vec::new() };
    let mut read = |name: &str, kind: WindowKind| {
        if let Some(at) = windows.empty(name) {
            problems.add(&at, "has no amount: give a number, or say unlimited");
        }
        let (node, at) = windows.get(name)?;
        let text = scalar(node, &at, usize::MAX, problems)?;
        Some(DraftLimit { at: at.clone(), window: WindowSpec::of(kind), amount: amount_or_unlimited(at, text) })
    };
    KINDS.iter().filter_map(|(name, kind)| read(name, *kind)).collect()
}

/// Reports every faulty field of a window: a fault found is mended in a copy, until the copy compiles. `has_length` says
/// that a length was given, even if it could not be read; `place` finds a field's place by its key.
pub fn check_window(window: &WindowSpec, has_length: bool, place: impl Fn(&str) -> Place, problems: &mut Problems) {
    let mut copy = window.clone();
    if has_length && copy.length.is_none() {
        copy.length = Some(Span::from_secs(60)); // its fault is known already
    }
    for _ in 0..LIMIT_KEYS.len() {
        let Err(error) = copy.compile("UTC") else { return };
        problems.add(&place(error.field()), error.to_string());
        match error.field() {
            "zone" => copy.zone = None,
            "anchor" => copy.anchor = None,
            "length" if copy.kind == WindowKind::Sliding || copy.kind == WindowKind::Rate => {
                copy.length = Some(Span::from_secs(60));
            }
            "length" => copy.length = None,
            "cron" if copy.kind == WindowKind::Cron => copy.cron = Some(String::from("0 0 * * *")),
            "cron" => copy.cron = None,
            _ => return,
        }
    }
}
