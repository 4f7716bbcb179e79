//! A customer who is the partner.

use super::{Case, Code, Finding, Parameter, Rule, Unit};
use crate::fraud::evidence::Evidence;

pub(super) const RULE: Rule = Rule {
    name: "self_referral",
    code: Code::SelfReferral,
    answers: &["R04", "S117", "S129"],
    doc: "The customer's e-mail address, normalised, or the account that paid is the partner's own; or, with `device_part` \
          of the weight, both the device and the address are ones that the partner signed in from within 30 days.",
    coarse: "the customer and the partner seem to be one",
    look_alike: "Somebody else of the partner's household: the same address, but a device and an e-mail address of their \
                 own. An address alone never flags, nor does a device alone.",
    weight: 100.0,
    window_seconds: Some(30 * 86_400),
    parameters: &[Parameter {
        name: "device_part",
        default: 0.6,
        unit: Unit::Share,
        least: 0.05,
        most: 1.0,
        doc: "What the same device at the same address is worth of the weight.",
    }],
    needs: &[
        &["email_hash", "customer_account_hash", "device_id"],
        &["affiliate_email_hashes", "affiliate_account_hash", "affiliate_device_ids"],
    ],
    flags: r#"{"email_hash": "0000000000000000000000000000000a", "affiliate_email_hashes": ["0000000000000000000000000000000a"]}"#,
    spares: r#"{"email_hash": "0000000000000000000000000000000b", "affiliate_email_hashes": ["0000000000000000000000000000000a"],
        "device_id": "d2", "affiliate_device_ids": ["d1"],
        "address_hash": "00000000000000000000000000000001", "affiliate_address_hashes": ["00000000000000000000000000000001"]}"#,
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let &[device_part] = case.values else { return None };
    let Evidence {
        email_hash, affiliate_email_hashes, customer_account_hash, affiliate_account_hash, ..
    } = case.seen;
    let same_mail = is_among(email_hash.as_ref(), affiliate_email_hashes.as_deref());
    let same_account = customer_account_hash.is_some() && customer_account_hash == affiliate_account_hash;
    if same_mail || same_account {
        return Some(Finding::fact());
    }
    let Evidence { device_id, affiliate_device_ids, address_hash, affiliate_address_hashes, .. } = case.seen;
    let same_device = is_among(device_id.as_ref(), affiliate_device_ids.as_deref());
    let same_address = is_among(address_hash.as_ref(), affiliate_address_hashes.as_deref());
    (same_device && same_address).then(|| Finding::fact().weaker(device_part))
}

fn is_among<T: PartialEq>(one: Option<&T>, others: Option<&[T]>) -> bool {
    one.is_some_and(|one| others.is_some_and(|others| others.contains(one)))
}
