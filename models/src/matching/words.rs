//! Reasons as people read them.

use super::Usual;

/// What a column of a pair is called in a sentence; `called` says what a user and an item are.
#[must_use]
pub fn cause(column: &str, called: [&str; 2]) -> String {
    let [one, other] = called;
    match column {
        "item" => format!("the {other} in general"),
        "user" => format!("the {one} in general"),
        "item with such users" => format!("the {other} with such {one}s"),
        "user with such items" => format!("the {one} with such {other}s"),
        name => match (name.strip_prefix("user "), name.strip_prefix("item ")) {
            (Some(name), _) => format!("{one} {name}"),
            (_, Some(name)) => format!("{other} {name}"),
            (None, None) => name.to_owned(),
        },
    }
}

/// What both have in common, and what a pair is expected to be worth beside what its item brings elsewhere; `item` is none
/// for one without a number.
#[must_use]
pub fn worth(
    (score, shared): (f64, &[String]),
    (usual, item): (&Usual, Option<u32>),
    (other, unit): (&str, &str),
) -> String {
    let of_item = item.and_then(|item| usual.items.get(item as usize)).copied();
    let (usual, whose) = match of_item.filter(|(_, pairs)| 0 < *pairs) {
        None => (usual.all.0, format!("of all pairs, as the {other} is new")),
        Some((mean, 1)) => (mean.0, format!("of the {other} in 1 pair")),
        Some((mean, pairs)) => (mean.0, format!("of the {other} in {pairs} pairs")),
    };
    let told = if 0.0 < usual {
        format!("{:.1} × the {unit} {whose} ({score:.3} against {usual:.3})", score / usual)
    } else {
        format!("{score:.3} against the {unit} of {usual:.3} {whose}")
    };
    if shared.is_empty() { told } else { format!("fits {}: {told}", shared.join(", ")) }
}
