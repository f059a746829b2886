//! What is charged: one charge by `--account`, `--meter`, `--amount`, or several by `--charge`.

use super::value;
use crate::cli::output::Fault;
use crate::proto::v1::Charge;
use clap::Args;

/// The charges of a request.
#[derive(Clone, Debug, Default, Args)]
pub struct ChargeArgs {
    /// The charged account, for example tenants/acme/users/u1
    #[arg(long, help_heading = "Charges", requires = "meter", conflicts_with = "charge")]
    pub account: Option<String>,
    /// The meter, for example training.runs
    #[arg(long, help_heading = "Charges", requires = "account", conflicts_with = "charge")]
    pub meter: Option<String>,
    /// Amount in the meter's smallest unit, a whole number
    #[arg(long, help_heading = "Charges", requires = "account", conflicts_with = "charge", allow_hyphen_values = true, value_parser = value::amount)]
    pub amount: Option<i64>,
    /// What the amount is for: a model, a tool, an object
    #[arg(long, help_heading = "Charges", requires = "account", conflicts_with = "charge")]
    pub item: Option<String>,
    /// So many units of a component, priced by the meter's rate card: input=1200; may be repeated
    #[arg(long, help_heading = "Charges", value_name = "COMPONENT=N", requires = "account", conflicts_with_all = ["charge", "amount"], value_parser = quantity)]
    pub quantity: Vec<(String, i64)>,
    /// The service that uses the item, by which rate cards give discounts
    #[arg(long, help_heading = "Charges", requires = "account", conflicts_with = "charge")]
    pub service: Option<String>,
    /// A further account that must have room too (a project, a pool); may be repeated
    #[arg(long, help_heading = "Charges", value_name = "ACCOUNT", requires = "account", conflicts_with = "charge")]
    pub also: Vec<String>,
    /// Whole charges, each in one word.
    #[arg(
        long,
        help_heading = "Charges",
        value_name = "CHARGE",
        value_parser = parse_charge,
        // Not a doc comment: rustdoc would take the brackets for links.
        help = "A whole charge in one word, may be repeated: ACCOUNT,METER[,AMOUNT][,item=ITEM][,also=ACCOUNT]...,\n\
                for example tenants/acme/users/u1,llm.cost,500,item=gpt,also=tenants/acme/projects/p1;\n\
                or with what a rate card prices in place of the amount:\n\
                tenants/acme/users/u1,llm.cost,item=gpt,service=chat,input=1200,output=300"
    )]
    pub charge: Vec<Charge>,
}

impl ChargeArgs {
    /// The charges, perhaps none.
    pub fn charges(&self) -> Vec<Charge> {
        let (Some(account), Some(meter)) = (&self.account, &self.meter) else {
            return self.charge.clone();
        };
        vec![Charge {
            account: account.clone(),
            meter: meter.clone(),
            amount: self.amount,
            item: self.item.clone().unwrap_or_default(),
            also: self.also.clone(),
            service: self.service.clone().unwrap_or_default(),
            quantities: self.quantity.iter().cloned().collect(),
        }]
    }

    /// The charges, at least one.
    pub(in crate::cli) fn required(&self) -> Result<Vec<Charge>, Fault> {
        let charges = self.charges();
        if charges.is_empty() {
            return Err(Fault::Usage("say what to charge: --account and --meter, or --charge".to_owned()));
        }
        Ok(charges)
    }
}

/// Reads `COMPONENT=N`.
fn quantity(text: &str) -> Result<(String, i64), String> {
    match text.split_once('=') {
        Some((component, number)) if !component.is_empty() => Ok((component.to_owned(), value::amount(number)?)),
        _ => Err("a quantity is COMPONENT=N, for example input=1200".to_owned()),
    }
}

/// Reads `ACCOUNT,METER[,AMOUNT][,item=ITEM][,service=SERVICE][,COMPONENT=N]...[,also=ACCOUNT]...`.
pub fn parse_charge(text: &str) -> Result<Charge, String> {
    let mut parts = text.split(',').map(str::trim);
    let (Some(account), Some(meter)) = (parts.next(), parts.next()) else {
        return Err("a charge is ACCOUNT,METER[,AMOUNT][,item=ITEM][,also=ACCOUNT]...".to_owned());
    };
    if account.is_empty() || meter.is_empty() {
        return Err("a charge begins with ACCOUNT,METER and neither may be empty".to_owned());
    }
    let mut charge = Charge { account: account.to_owned(), meter: meter.to_owned(), ..Default::default() };
    for (place, part) in parts.enumerate() {
        match part.split_once('=') {
            Some(("item", item)) if charge.item.is_empty() => charge.item = item.to_owned(),
            Some(("item", _)) => return Err("a charge has one item".to_owned()),
            Some(("also", account)) => charge.also.push(account.to_owned()),
            Some(("service", service)) if charge.service.is_empty() => charge.service = service.to_owned(),
            Some(("service", _)) => return Err("a charge has one service".to_owned()),
            Some((key, number)) => {
                let number = value::amount(number).map_err(|_| {
                    format!("{key}= needs a whole number, like input=1200; else a charge has item=, service= and also=")
                })?;
                if charge.quantities.insert(key.to_owned(), number).is_some() {
                    return Err(format!("{key}= stands there twice"));
                }
            }
            None if place == 0 => charge.amount = Some(value::amount(part)?),
            None => return Err(format!("{part:?} is out of place: after the amount come item=ITEM and also=ACCOUNT")),
        }
    }
    Ok(charge)
}
