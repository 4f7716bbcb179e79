//! Money is whole minor units of a currency; rates are whole parts per million; every split sums back.

use std::{borrow::Cow, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, schema::Type},
};

/// An ISO 4217 currency that has minor units (or whole units only, as the yen).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency(iso_currency::Currency);

/// What cannot be read as money, a currency or a rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not a currency we can count in.
    #[error("{0:?} is not an ISO 4217 currency code such as EUR or USD")]
    UnknownCurrency(String),
    /// Not a plain decimal number.
    #[error("{0:?} is not a decimal amount such as 49.99")]
    NotDecimal(String),
    /// More digits after the point than the currency has.
    #[error("{text:?} has more than {places} digits after the point, which is all that {currency} has")]
    TooPrecise {
        /// What was read.
        text: String,
        /// How many digits the currency allows.
        places: u16,
        /// The currency in question.
        currency: Currency,
    },
    /// Beyond ±92,233,720,368,547,758.07 (for two places).
    #[error("the amount is too large to be counted exactly")]
    TooLarge,
    /// Two currencies where one was needed.
    #[error("{0} and {1} cannot be added without an exchange rate")]
    MixedCurrencies(Currency, Currency),
    /// Not a percentage that parts per million can hold.
    #[error("{0:?} is not a percentage with at most four digits after the point, such as 12.5")]
    NotPercent(String),
}

impl Currency {
    /// The three-letter code.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// How many digits follow the decimal point: 2 for EUR, 0 for JPY, 3 for KWD.
    #[must_use]
    pub fn places(self) -> u16 {
        self.0.exponent().unwrap_or(0)
    }

    fn unit(self) -> i64 {
        10_i64.pow(u32::from(self.places()))
    }
}

impl FromStr for Currency {
    type Err = MoneyError;
    fn from_str(code: &str) -> Result<Self, MoneyError> {
        // Codes without an exponent (gold, test codes) cannot be counted in minor units.
        iso_currency::Currency::from_code(&code.to_ascii_uppercase())
            .filter(|currency| currency.exponent().is_some())
            .map(Self)
            .ok_or_else(|| MoneyError::UnknownCurrency(code.chars().take(16).collect()))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// An exact amount of money.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    /// Whole minor units (cents for EUR); negative for what is taken back.
    pub minor: i64,
    /// What the units are of.
    pub currency: Currency,
}

impl Money {
    /// `minor` units of `currency`.
    #[must_use]
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Nothing, in `currency`.
    #[must_use]
    pub const fn zero(currency: Currency) -> Self {
        Self::new(0, currency)
    }

    /// Reads a plain decimal («49.99», «-3», «.5» is refused) without ever passing through a float.
    ///
    /// # Errors
    /// When the text is not a decimal, has more places than the currency, or is too large.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let not_decimal = || MoneyError::NotDecimal(text.chars().take(32).collect());
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(w, f)| (w, Some(f)));
        let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !all_digits(whole) || !fraction.is_none_or(all_digits) {
            return Err(not_decimal());
        }
        let places = usize::from(currency.places());
        let (kept, beyond) = fraction.unwrap_or("").split_at(fraction.map_or(0, str::len).min(places));
        if beyond.bytes().any(|byte| byte != b'0') {
            let text = text.chars().take(32).collect();
            return Err(MoneyError::TooPrecise { text, places: currency.places(), currency });
        }
        let minor: i64 = format!("{whole}{kept:0<places$}").parse().map_err(|_| MoneyError::TooLarge)?;
        Ok(Self::new(if negative { -minor } else { minor }, currency))
    }

    /// The sum, of one currency.
    ///
    /// # Errors
    /// When the currencies differ or the sum is too large.
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::MixedCurrencies(self.currency, other.currency));
        }
        let minor = self.minor.checked_add(other.minor).ok_or(MoneyError::TooLarge)?;
        Ok(Self::new(minor, self.currency))
    }

    /// The same amount taken back.
    #[must_use]
    pub const fn negated(self) -> Self {
        Self::new(-self.minor, self.currency)
    }

    /// Splits by weights with the largest-remainder method: the parts sum to the whole exactly, each
    /// is within one minor unit of its share, and ties go to the earlier part. Weights that are all
    /// zero give everything to the first part; no weights give no parts.
    #[must_use]
    pub fn split(self, weights: &[u64]) -> Vec<Self> {
        let parts = largest_remainder(self.minor.unsigned_abs(), weights);
        let sign = self.minor.signum();
        let signed = |part: u64| sign * i64::try_from(part).expect("a part is never above its whole");
        parts.into_iter().map(|part| Self::new(signed(part), self.currency)).collect()
    }
}

/// Splits `whole` into integer parts proportional to `weights` (Hamilton's method, 1792): floors
/// first, then one unit each to the largest remainders, earlier parts first among equals.
#[must_use]
pub fn largest_remainder(whole: u64, weights: &[u64]) -> Vec<u64> {
    let total: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
    if total == 0 {
        let first_takes_all = weights.iter().enumerate().map(|(i, _)| if i == 0 { whole } else { 0 });
        return first_takes_all.collect();
    }
    let share = |weight: &u64| u128::from(whole) * u128::from(*weight);
    let floor = |weight| u64::try_from(share(weight) / total).expect("a share is never above its whole");
    let mut parts: Vec<u64> = weights.iter().map(floor).collect();
    let missing = whole - parts.iter().sum::<u64>();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(share(&weights[i]) % total));
    for &i in order.iter().take(usize::try_from(missing).unwrap_or(usize::MAX)) {
        parts[i] += 1;
    }
    parts
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", Decimal::from(*self), self.currency)
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A sum of many amounts as a decimal with all the currency's places: it may be larger than [`Money`] holds.
#[must_use]
pub fn decimal(minor: i128, currency: Currency) -> String {
    Decimal { minor, currency }.to_string()
}

/// The amount alone, as a decimal with all the currency's places.
struct Decimal {
    minor: i128,
    currency: Currency,
}

impl From<Money> for Decimal {
    fn from(money: Money) -> Self {
        Self { minor: money.minor.into(), currency: money.currency }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { minor, currency } = *self;
        let (unit, places) = (u128::from(currency.unit().unsigned_abs()), usize::from(currency.places()));
        let sign = if minor < 0 { "-" } else { "" };
        let (whole, rest) = (minor.unsigned_abs() / unit, minor.unsigned_abs() % unit);
        match places {
            0 => write!(f, "{sign}{whole}"),
            _ => write!(f, "{sign}{whole}.{rest:0places$}"),
        }
    }
}

/// Money on the wire: the value as a decimal string beside its currency.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire<'a> {
    #[serde(borrow)]
    value: Cow<'a, str>,
    #[serde(borrow)]
    currency: Cow<'a, str>,
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value = Cow::Owned(Decimal::from(*self).to_string());
        Wire { value, currency: Cow::Borrowed(self.currency.code()) }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = Wire::deserialize(deserializer)?;
        let currency = wire.currency.parse().map_err(D::Error::custom)?;
        Self::parse(&wire.value, currency).map_err(D::Error::custom)
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// A rate in parts per million: 10 % is 100,000.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate {
    /// Parts per million.
    pub ppm: u32,
}

impl Rate {
    /// All of it.
    pub const ONE: Self = Self { ppm: 1_000_000 };

    /// This rate of `money`, rounded to the nearest minor unit, halves away from zero.
    #[must_use]
    pub fn of(self, money: Money) -> Money {
        let product = i128::from(money.minor) * i128::from(self.ppm);
        let rounded = (product.abs() + 500_000) / 1_000_000 * product.signum();
        // A rate above one could overflow only beyond what `Money::parse` admits; it saturates then.
        let minor = i64::try_from(rounded).unwrap_or(if rounded < 0 { -i64::MAX } else { i64::MAX });
        Money::new(minor, money.currency)
    }
}

impl FromStr for Rate {
    type Err = MoneyError;
    /// Reads a percentage as people write it: «12.5» or «12.5%».
    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let not_percent = || MoneyError::NotPercent(text.chars().take(32).collect());
        let digits = text.strip_suffix('%').map_or(text, str::trim_end);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !all_digits(whole) || !all_digits(fraction) || 4 < fraction.len() {
            return Err(not_percent());
        }
        let ppm = format!("{whole}{fraction:0<4}").parse().map_err(|_| not_percent())?;
        Ok(Self { ppm })
    }
}

impl fmt::Display for Rate {
    /// A percentage without trailing zeros: «12.5%».
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.ppm / 10_000, self.ppm % 10_000);
        if rest == 0 {
            return write!(f, "{whole}%");
        }
        write!(f, "{whole}.{}%", format!("{rest:04}").trim_end_matches('0'))
    }
}

impl fmt::Debug for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

fn text_schema(description: &str, pattern: &str, example: &str) -> RefOr<Schema> {
    let text = ObjectBuilder::new().schema_type(Type::String).description(Some(description));
    text.pattern(Some(pattern)).examples([example]).into()
}

impl PartialSchema for Currency {
    fn schema() -> RefOr<Schema> {
        text_schema("ISO 4217 currency code.", "^[A-Z]{3}$", "EUR")
    }
}

impl ToSchema for Currency {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Currency")
    }
}

impl PartialSchema for Rate {
    fn schema() -> RefOr<Schema> {
        let description = "A percentage, exact to a ten-thousandth of a percent.";
        text_schema(description, r"^[0-9]{1,5}(\.[0-9]{1,4})?%?$", "12.5%")
    }
}

impl ToSchema for Rate {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Rate")
    }
}

impl PartialSchema for Money {
    fn schema() -> RefOr<Schema> {
        let description = "The amount as a plain decimal with the currency's places.";
        let value = text_schema(description, r"^-?[0-9]{1,16}(\.[0-9]{1,4})?$", "49.99");
        let money = ObjectBuilder::new().schema_type(Type::Object).property("value", value);
        let money = money.property("currency", Currency::schema());
        money.required("value").required("currency").description(Some("An exact amount of money.")).into()
    }
}

impl ToSchema for Money {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Money")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn currency(code: &str) -> Currency {
        code.parse().unwrap()
    }

    fn check(text: &str, code: &str, printed: &str) {
        let read = Money::parse(text, currency(code));
        assert_eq!(read.map_or_else(|error| error.to_string(), |money| money.to_string()), printed);
    }

    #[test]
    fn an_amount_keeps_all_places_of_its_currency() {
        check("49.99", "EUR", "49.99 EUR");
        check("50", "EUR", "50.00 EUR");
        check("-0.5", "USD", "-0.50 USD");
        check("1500", "JPY", "1500 JPY");
        check("1.234", "KWD", "1.234 KWD");
        check("10.00", "JPY", "10 JPY");
    }

    #[test]
    fn what_is_not_an_exact_amount_is_refused() {
        check("1.005", "EUR", r#""1.005" has more than 2 digits after the point, which is all that EUR has"#);
        check("1e3", "EUR", r#""1e3" is not a decimal amount such as 49.99"#);
        check(".5", "EUR", r#"".5" is not a decimal amount such as 49.99"#);
        check("NaN", "EUR", r#""NaN" is not a decimal amount such as 49.99"#);
        check("99999999999999999999", "EUR", "the amount is too large to be counted exactly");
    }

    #[test]
    fn a_rate_is_a_percentage_with_four_places() {
        let rate: Rate = "12.5%".parse().unwrap();
        assert_eq!((rate.ppm, rate.to_string().as_str()), (125_000, "12.5%"));
        assert_eq!(rate.of(Money::parse("0.20", currency("EUR")).unwrap()).minor, 3);
        assert!("12.34567".parse::<Rate>().is_err());
    }

    #[test]
    fn thirds_of_a_euro_sum_to_the_euro() {
        let parts = Money::new(100, currency("EUR")).split(&[1, 1, 1]);
        assert_eq!(parts.iter().map(|part| part.minor).collect::<Vec<_>>(), [34, 33, 33]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn every_split_sums_back(minor in -i64::MAX..=i64::MAX, weights in prop::collection::vec(0..=u64::MAX, 1..40)) {
            let parts = Money::new(minor, currency("EUR")).split(&weights);
            prop_assert_eq!(parts.len(), weights.len());
            prop_assert_eq!(parts.iter().map(|part| i128::from(part.minor)).sum::<i128>(), i128::from(minor));
        }

        #[test]
        fn no_part_is_a_unit_away_from_its_share(minor in 0..1_000_000_000_i64, weights in prop::collection::vec(0..1_000_000_u64, 1..12)) {
            let total: u64 = weights.iter().sum();
            prop_assume!(total != 0);
            for (part, weight) in Money::new(minor, currency("EUR")).split(&weights).iter().zip(&weights) {
                let exact = i128::from(minor) * i128::from(*weight);
                let distance = (i128::from(part.minor) * i128::from(total) - exact).abs();
                prop_assert!(distance < i128::from(total));
            }
        }

        #[test]
        fn money_survives_the_wire(minor in -i64::MAX..=i64::MAX, code in prop::sample::select(vec!["EUR", "JPY", "KWD", "USD"])) {
            let money = Money::new(minor, currency(code));
            prop_assert_eq!(serde_json::from_str::<Money>(&serde_json::to_string(&money).unwrap()).unwrap(), money);
        }

        #[test]
        fn a_rate_survives_its_text(ppm: u32) {
            prop_assert_eq!(Rate { ppm }.to_string().parse(), Ok(Rate { ppm }));
        }

        #[test]
        fn no_text_makes_the_parsers_panic(text: String) {
            drop(Money::parse(&text, currency("EUR")));
            drop(text.parse::<Rate>());
            drop(text.parse::<Currency>());
        }
    }
}
