//! What a line says about money, on both databases.

use super::support::{Place, effect, entries, line, on_both};
use crate::domain::entry::{Kind, Line};
use crate::domain::price::{Priced, Quantities, Tariff};
use crate::domain::time::Timestamp;
use crate::engine::ports::Ledger;
use crate::store::database::DatabaseLedger;
use crate::store::database::connection::{Product, Sql};

on_both!(a_line_keeps_original_cost_discount_final_cost_and_quantities);

async fn a_line_keeps_original_cost_discount_final_cost_and_quantities(product: Product) {
    let place = Place::new(product).await;
    let database = place.database().await;
    let exact = |text: &str| text.parse().unwrap();
    let tariff = Tariff {
        service: "chat".into(),
        card: Timestamp::from_millis(0),
        decimals: 6,
        per: 1_000_000,
        components: vec![("input".into(), exact("2.00")), ("output".into(), exact("8.00"))],
        exchange: None,
        discount: exact("0.5"),
    };
    let (priced, amount) = Priced::new(tariff).with(&Quantities::new([("input".into(), 1_000), ("output".into(), 3)]));
    let used = i64::try_from(amount).unwrap();
    let part = priced.line(used, Some(&Quantities::default()));
    let said = priced.line(-7, None);
    let of = |used, price| Line { price, ..line("tenants/acme", 5, used, 0) };
    let lines = vec![of(used, Some(Box::new(part))), of(-7, Some(Box::new(said))), of(1, None)];
    let ledger = DatabaseLedger::new(database.clone());
    ledger.append(3, 1, &entries(1, vec![effect(Kind::Commit, 10, lines)])).await.unwrap();

    let select = Sql::same(
        "SELECT COALESCE(cost_exact, '-'), COALESCE(service, '-'), COALESCE(discount, '-'), COALESCE(quantities, '-'),
                COALESCE(cost_original, '-') FROM entry ORDER BY idx",
    );
    let rows = database.read().await.unwrap().fetch(select, |_| {}).await.unwrap();
    let found: Vec<Vec<String>> = rows.iter().map(|row| (0..5).map(|at| row.text(at).unwrap()).collect()).collect();
    assert_eq!(used, 1_012);
    assert_eq!(
        found,
        [
            ["0.0010120000", "chat", "0.5000000000", r#"{"input":1000,"output":3}"#, "0.0020240000"],
            ["-0.0000070000", "chat", "0.5000000000", "-", "-"],
            ["-", "-", "-", "-", "-"],
        ]
    );
}
