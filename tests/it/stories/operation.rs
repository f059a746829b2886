//! The words of a call: its id, its charges and its options.

use super::expect::number;
use super::names::Names;
use quotad::proto::v1::Charge;
use std::collections::HashMap;

/// A call as a story writes it: `ID ACCOUNT METER [AMOUNT] [item=I] [also=A,B] [+ ...] [OPTIONS]`.
#[derive(Clone, Debug, Default)]
pub(super) struct Call {
    /// The reservation's id; empty for `-`.
    pub(super) id: String,
    /// What is asked.
    pub(super) charges: Vec<Charge>,
    /// `request=ID`.
    pub(super) request_id: String,
    /// `ttl=60s`.
    pub(super) ttl: Option<pbjson_types::Duration>,
    /// `label.KEY=VALUE`.
    pub(super) labels: HashMap<String, String>,
    /// `final` or `part`.
    pub(super) is_final: Option<bool>,
    /// `durable`.
    pub(super) durable: bool,
    /// `states=HELD,PARKED`, of a list.
    pub(super) states: Vec<String>,
    /// `account=ACCOUNT`, of a list.
    pub(super) account: String,
}

impl Call {
    /// Reads the words behind the verb; `has_id`: the first one is an id.
    pub(super) fn read(words: &[String], has_id: bool, names: &Names) -> Result<Call, String> {
        let mut call = Call::default();
        let mut words = words;
        if has_id {
            let (id, rest) = words.split_first().ok_or("an id is needed, or `-` for none")?;
            if id != "-" {
                id.clone_into(&mut call.id);
            }
            words = rest;
        }
        for part in words.split(|word| word == "+") {
            call.read_part(part, names)?;
        }
        Ok(call)
    }

    /// One charge, with options anywhere behind its account and meter.
    fn read_part(&mut self, part: &[String], names: &Names) -> Result<(), String> {
        let (mut plain, mut charge) = (Vec::new(), Charge::default());
        for word in part {
            match word.split_once('=') {
                _ if word == "part" || word == "final" => self.is_final = Some(word == "final"),
                _ if word == "durable" => self.durable = true,
                None => plain.push(word.as_str()),
                Some(("item", item)) => item.clone_into(&mut charge.item),
                Some(("service", service)) => service.clone_into(&mut charge.service),
                Some(("also", also)) => charge.also = also.split(',').map(|name| names.account(name)).collect(),
                Some(("request", id)) => id.clone_into(&mut self.request_id),
                Some(("ttl", length)) => self.ttl = Some(duration(length)?),
                Some(("account", account)) => self.account = names.account(account),
                Some(("states", states)) => self.states = states.split(',').map(str::to_owned).collect(),
                Some((key, value)) => match (key.strip_prefix("label."), key.strip_prefix("quantity.")) {
                    (Some(label), _) => drop(self.labels.insert(label.to_owned(), value.to_owned())),
                    (_, Some(component)) => {
                        let quantity = number(value).ok_or_else(|| format!("{value:?} is no number"))?;
                        charge.quantities.insert(component.to_owned(), quantity);
                    }
                    _ => return Err(format!("an option {key:?} is not known")),
                },
            }
        }
        match plain.as_slice() {
            [] => return Ok(()),
            [account, meter, amount @ ..] if amount.len() <= 1 => {
                charge.account = names.account(account);
                (*meter).clone_into(&mut charge.meter);
                charge.amount = match amount {
                    [amount] => Some(number(amount).ok_or_else(|| format!("{amount:?} is no number"))?),
                    _ => None,
                };
            }
            other => return Err(format!("a charge is `ACCOUNT METER [AMOUNT]`, not {other:?}")),
        }
        self.charges.push(charge);
        Ok(())
    }
}

/// A length of time, like `90s`, `1m`, `2h`, `1d`, `250ms` or `-1s`.
pub(super) fn millis(text: &str) -> Result<i64, String> {
    let unit = text.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(|| format!("{text:?} has no unit"))?;
    let factor = match &text[unit..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(format!("{text:?}: the unit is ms, s, m, h or d")),
    };
    number(&text[..unit]).and_then(|n| n.checked_mul(factor)).ok_or_else(|| format!("{text:?} is no length of time"))
}

fn duration(text: &str) -> Result<pbjson_types::Duration, String> {
    let millis = millis(text)?;
    let nanos = i32::try_from(millis % 1000 * 1_000_000).map_err(|e| e.to_string())?;
    Ok(pbjson_types::Duration { seconds: millis / 1000, nanos })
}

#[test]
fn a_call_is_read() {
    let names = Names::new("a", 1);
    let line = "r1 users/u m 5 item=x also=pools/p,. + users/v m ttl=1m request=q label.team=red part";
    let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    let call = Call::read(&words, true, &names).unwrap();
    assert_eq!((call.id.as_str(), call.request_id.as_str(), call.is_final), ("r1", "q", Some(false)));
    assert_eq!(call.charges.len(), 2);
    assert_eq!(call.charges[0].also, ["tenants/a-1-acme/pools/p", "tenants/a-1-acme"]);
    assert_eq!((call.charges[0].amount, call.charges[1].amount), (Some(5), None));
    assert_eq!((call.ttl.unwrap().seconds, call.labels["team"].as_str()), (60, "red"));
    for bad in ["r users/u", "r users/u m x", "r a m 1 2", "r a m 1 color=red", "r a m 1 ttl=5"] {
        let words: Vec<String> = bad.split(' ').map(str::to_owned).collect();
        assert!(Call::read(&words, true, &names).is_err(), "{bad}");
    }
}
