//! What the command line says of a meter. Its words are those of the catalog's documents.

use crate::cli::args::value;
use crate::engine::manage::document::meter as words;
use crate::proto::v1::Meter;
use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

/// What is said of a meter; what is not stays as it is.
#[derive(Clone, Debug, Args)]
pub struct ContentArgs {
    /// The smallest unit that is counted: run, byte, EUR
    #[arg(long)]
    unit: Option<String>,
    /// Decimals of the shown unit, 0 to 10; can't be changed later
    #[arg(long)]
    decimals: Option<i32>,
    /// Whether use adds up or is what is occupied now; can't be changed later
    #[arg(long, value_name = "WORD", value_parser = word(&words::FAMILIES))]
    family: Option<i32>,
    /// Whether the amount must fit, or the balance be above zero
    #[arg(long, value_name = "WORD", value_parser = word(&words::ADMISSIONS))]
    admission: Option<i32>,
    /// What becomes of a commit above its hold
    #[arg(long, value_name = "WORD", value_parser = word(&words::OVERAGES))]
    overage: Option<i32>,
    /// What silence until the deadline does to a hold
    #[arg(long, value_name = "WORD", value_parser = word(&words::EXPIRIES))]
    expiry: Option<i32>,
    /// When use is charged
    #[arg(long, value_name = "WORD", value_parser = word(&words::CHARGES))]
    charge: Option<i32>,
    /// What an account without any limit is told
    #[arg(long, value_name = "WORD", value_parser = word(&words::DEFAULT_POLICIES))]
    default_policy: Option<i32>,
    /// What is answered while Redis can't be reached
    #[arg(long, value_name = "WORD", value_parser = word(&words::FAILURE_POLICIES))]
    failure_policy: Option<i32>,
    /// The least limit that may be set, in the smallest unit
    #[arg(long, value_name = "AMOUNT", value_parser = value::amount)]
    min_limit: Option<i64>,
    /// The greatest limit that may be set, in the smallest unit
    #[arg(long, value_name = "AMOUNT", value_parser = value::amount)]
    max_limit: Option<i64>,
    /// There is no greatest limit any more
    #[arg(long, conflicts_with = "max_limit")]
    no_max_limit: bool,
    /// Whether a limit may be unlimited
    #[arg(long, value_name = "BOOL")]
    may_be_unlimited: Option<bool>,
    /// Whether in one quota daily must not be above monthly, nor monthly above yearly
    #[arg(long, value_name = "BOOL")]
    ordered_limits: Option<bool>,
    /// Whether an account's limit must not be above what the accounts above it have available when it is set
    #[arg(long, value_name = "BOOL")]
    within_parent: Option<bool>,
    /// Above this share of a limit its state is low, 0 to 100
    #[arg(long, value_name = "PERCENT")]
    warn_percent: Option<i32>,
    /// Its name in a language, may be repeated: en=Training runs; without a name (en=) it has none in it any more
    #[arg(long = "display-name", value_name = "LANGUAGE=NAME", value_parser = value::label)]
    display_names: Vec<(String, String)>,
    /// Its unit's name in a language, may be repeated: en=runs; without a name (en=) it has none in it any more
    #[arg(long = "unit-name", value_name = "LANGUAGE=NAME", value_parser = value::label)]
    unit_names: Vec<(String, String)>,
}

impl ContentArgs {
    /// A meter with what the command line names.
    pub(super) fn changed(self, mut meter: Meter) -> Meter {
        let numbers = [
            (&mut meter.decimals, self.decimals),
            (&mut meter.family, self.family),
            (&mut meter.admission, self.admission),
            (&mut meter.overage, self.overage),
            (&mut meter.expiry, self.expiry),
            (&mut meter.charge, self.charge),
            (&mut meter.default_policy, self.default_policy),
            (&mut meter.failure_policy, self.failure_policy),
        ];
        for (field, said) in numbers {
            *field = said.unwrap_or(*field);
        }
        if let Some(unit) = self.unit {
            meter.unit = unit;
        }
        if self.no_max_limit {
            meter.max_limit = None;
        }
        meter.min_limit = self.min_limit.or(meter.min_limit);
        meter.max_limit = self.max_limit.or(meter.max_limit);
        meter.may_be_unlimited = self.may_be_unlimited.or(meter.may_be_unlimited);
        meter.ordered_limits = self.ordered_limits.or(meter.ordered_limits);
        meter.within_parent = self.within_parent.unwrap_or(meter.within_parent);
        meter.warn_percent = self.warn_percent.or(meter.warn_percent);
        for (names, said) in [(&mut meter.display_names, self.display_names), (&mut meter.unit_names, self.unit_names)]
        {
            for (language, name) in said {
                if name.is_empty() {
                    names.remove(&language)
                } else {
                    names.insert(language, name)
                };
            }
        }
        meter
    }
}

/// One of the catalog's words, as the number of the protocol's value: they stand in the same order, from 1.
fn word<T: Sync>(words: &'static [(&'static str, T)]) -> impl TypedValueParser<Value = i32> {
    let values: Vec<PossibleValue> = words.iter().map(|(word, _)| PossibleValue::new(*word)).collect();
    PossibleValuesParser::new(values).map(|text: String| {
        let at = words.iter().position(|(word, _)| *word == text);
        at.and_then(|at| i32::try_from(at + 1).ok()).unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::v1::{AdmissionRule, ExpiryRule, FailurePolicy, MeterFamily};
    use clap::Parser;

    #[derive(Parser)]
    struct Only {
        #[command(flatten)]
        content: ContentArgs,
    }

    fn changed(line: &str, meter: Meter) -> Meter {
        Only::parse_from(line.split_whitespace()).content.changed(meter)
    }

    #[test]
    fn what_is_not_named_stays() {
        let made = changed(
            "x --unit run --decimals 2 --family allocation --expiry give_back --max-limit 9 --display-name en=Runs",
            Meter::default(),
        );
        assert_eq!((made.family(), made.expiry()), (MeterFamily::Allocation, ExpiryRule::GiveBack));
        assert_eq!(changed("x", made.clone()), made);
        let set = changed(
            "x --admission positive --failure-policy fail_open --no-max-limit --may-be-unlimited false --display-name zh=N",
            made,
        );
        assert_eq!((set.admission(), set.failure_policy()), (AdmissionRule::Positive, FailurePolicy::FailOpen));
        assert_eq!((set.max_limit, set.may_be_unlimited, set.display_names.len()), (None, Some(false), 2));
        assert_eq!((set.unit.as_str(), set.decimals), ("run", 2));
        let renamed = changed("x --display-name en= --display-name zh=M --unit-name en=", set);
        assert_eq!(renamed.display_names, [("zh".to_owned(), "M".to_owned())].into());
        assert!(renamed.unit_names.is_empty());
    }
}
