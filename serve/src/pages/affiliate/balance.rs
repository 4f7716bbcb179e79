//! What an affiliate is owed, by the books: accrued, held, payable and paid.

use std::collections::BTreeMap;

use askama::Template;
use axum::{extract::State, response::Response};
use domain::{Currency, Money, conversion::CommissionStatus, ledger::AccountKind};

use crate::{
    pages::{
        Pages,
        fault::Fault,
        frame::{Frame, Place, rendered},
        session::Visitor,
    },
    store,
};

/// So many conversions that are held stand on the page.
const MOST: i64 = 100;

/// Amounts of one currency, in minor units.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    accrued: i64,
    held: i64,
    payable: i64,
    paid: i64,
}

struct Line {
    currency: &'static str,
    accrued: String,
    held: String,
    payable: String,
    paid: String,
}

struct Held {
    id: String,
    event: String,
    since: String,
    amount: String,
    is_credited: bool,
}

struct Staying {
    amount: String,
    until: String,
}

#[derive(Template)]
#[template(path = "balance.html")]
struct Page {
    frame: Frame,
    lines: Vec<Line>,
    held: Vec<Held>,
    staying: Vec<Staying>,
}

/// The balance, with what is held.
pub async fn show(State(pages): State<Pages>, by: Visitor) -> Result<Response, Fault> {
    let affiliate = by.affiliate()?;
    let mut db = pages.app.db.acquire().await?;
    let mut sums = BTreeMap::<&'static str, (Currency, Sums)>::new();
    for owed in store::dashboard::owed(&mut db, affiliate).await? {
        let (_, sums) = of(&mut sums, owed.amount.currency);
        match owed.kind.parse() {
            Ok(AccountKind::CommissionAccrued) => sums.accrued += owed.amount.minor,
            Ok(AccountKind::CommissionPayable) => sums.payable += owed.amount.minor,
            Ok(AccountKind::CommissionExpense) | Err(_) => {}
        }
    }
    let mut staying = Vec::new();
    for state in store::dashboard::states(&mut db, affiliate).await? {
        let (_, sums) = of(&mut sums, state.amount.currency);
        match state.status {
            // What is held is accrued on the books, and shown apart.
            CommissionStatus::Accrued if state.is_held => {
                sums.held += state.amount.minor;
                sums.accrued -= state.amount.minor;
            }
            CommissionStatus::Paid => sums.paid += state.amount.minor,
            CommissionStatus::Accrued | CommissionStatus::Payable => {}
        }
        let waits = state.final_at.filter(|_| state.status == CommissionStatus::Accrued);
        staying.extend(
            waits.map(|until| Staying {
                amount: by.reader.money(&state.amount),
                until: by.reader.time(&until),
            }),
        );
    }
    let line = |(code, (currency, sums)): (&'static str, (Currency, Sums))| {
        let money = |minor| by.reader.money(&Money::new(minor, currency));
        let Sums { accrued, held, payable, paid } = sums;
        Line {
            currency: code,
            accrued: money(accrued),
            held: money(held),
            payable: money(payable),
            paid: money(paid),
        }
    };
    let held = store::dashboard::held(&mut db, affiliate, MOST).await?.into_iter().map(|held| Held {
        id: held.conversion.to_string(),
        event: held.event,
        since: by.reader.time(&held.since),
        amount: by.reader.money(&held.amount),
        is_credited: held.is_credited,
    });
    let (lines, held) = (sums.into_iter().map(line).collect(), held.collect());
    Ok(rendered(&Page { frame: by.frame(Place::Balance), lines, held, staying }))
}

fn of<'a>(
    sums: &'a mut BTreeMap<&'static str, (Currency, Sums)>,
    currency: Currency,
) -> &'a mut (Currency, Sums) {
    sums.entry(currency.code()).or_insert((currency, Sums::default()))
}
