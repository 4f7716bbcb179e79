//! What became of one click, and of one conversion.

use domain::event::Kind;

use super::{CONVERSIONS, DAYS_30, DAYS_90, REFUNDS, Theme, only};
use crate::{
    definition::{
        Aggregate::{Count, SinceFirst, Sum},
        Condition, Definition,
    },
    entity::Entity,
    field::{Category, Number},
    window::SECOND,
};

const CLICK: Theme = Theme { entity: Entity::Click, owner: "attribution" };
const CONVERSION: Theme = Theme { entity: Entity::Conversion, owner: "fraud" };

pub(super) fn all() -> Vec<Definition> {
    let rejected = only(Kind::StatusChange, &[Condition::Is(Category::Status, "rejected")]);
    let fraud = only(Kind::Review, &[Condition::Is(Category::Verdict, "fraud")]);
    let moves = only(Kind::StatusChange, &[]);
    [
        CLICK.over(&[DAYS_30], "click_conversions", CONVERSIONS, Count, "Conversions that name the click"),
        CLICK.over(
            &[DAYS_30],
            "click_amount",
            CONVERSIONS,
            Sum(Number::Amount),
            "What the conversions that name the click were worth, in minor units,",
        ),
        CONVERSION.over(&[DAYS_90], "conversion_moves", moves, Count, "Changes of the conversion's state"),
        CONVERSION.over(&[DAYS_90], "conversion_rejections", rejected, Count, "Rejections of the conversion"),
        CONVERSION.over(
            &[DAYS_90],
            "conversion_fraud_verdicts",
            fraud,
            Count,
            "Reviews that found the conversion to be fraud",
        ),
        CONVERSION.over(
            &[DAYS_90],
            "conversion_refunded",
            REFUNDS,
            Sum(Number::Amount),
            "What was given back of the conversion, in minor units,",
        ),
        CONVERSION.over(
            &[DAYS_90],
            "conversion_seconds_since_report",
            CONVERSIONS,
            SinceFirst(SECOND),
            "Seconds since the conversion happened",
        ),
    ]
    .concat()
}
