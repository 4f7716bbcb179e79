//! E-mail addresses as they are compared: two ways of writing one mailbox are one.

/// Providers that take no notice of dots in the name, and the domain that stands for all of theirs.
const WITHOUT_DOTS: [(&str, &str); 2] = [("gmail.com", "gmail.com"), ("googlemail.com", "gmail.com")];
/// Providers whose users hang a name of their own behind a sign other than a plus.
const OTHER_TAGS: [(&str, char); 3] = [("yahoo.com", '-'), ("ymail.com", '-'), ("rocketmail.com", '-')];
/// Domains that are names of one provider's mailboxes.
const SAME: [(&str, &str); 5] = [
    ("pm.me", "proton.me"),
    ("protonmail.com", "proton.me"),
    ("protonmail.ch", "proton.me"),
    ("me.com", "icloud.com"),
    ("mac.com", "icloud.com"),
];

/// The mailbox that an address means, to be hashed and compared: in lower case, without a tag behind a plus, without dots
/// where the provider ignores them, and under one of the provider's domains. None when it is no address.
///
/// Lower case for the name is against the letter of RFC 5321, section 2.4, and what every provider does.
#[must_use]
pub fn normalised(address: &str) -> Option<String> {
    let address = address.trim().to_lowercase();
    let (name, domain) = address.rsplit_once('@')?;
    let domain = domain.trim_end_matches('.');
    let has_tag = OTHER_TAGS.iter().find(|(provider, _)| *provider == domain).map(|(_, sign)| *sign);
    let end = name.find(|sign| sign == '+' || Some(sign) == has_tag).unwrap_or(name.len());
    let name = if end == 0 { name } else { &name[..end] };
    let dotless = WITHOUT_DOTS.iter().find(|(provider, _)| *provider == domain);
    let name = if dotless.is_some() { name.replace('.', "") } else { name.to_owned() };
    let is_address = !name.is_empty() && domain.contains('.') && !address.contains(char::is_whitespace);
    let domain =
        dotless.or_else(|| SAME.iter().find(|(other, _)| *other == domain)).map_or(domain, |it| it.1);
    is_address.then(|| format!("{name}@{domain}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(address: &str, mailbox: &str) {
        assert_eq!(normalised(address).as_deref().unwrap_or("none"), mailbox, "{address}");
    }

    #[test]
    fn ways_of_writing_one_mailbox_are_one() {
        check(" Ana.Lind+offers@GMail.com", "analind@gmail.com");
        check("an.alind@googlemail.com.", "analind@gmail.com");
        check("ana-offers@yahoo.com", "ana@yahoo.com");
        check("ana@protonmail.com", "ana@proton.me");
    }

    #[test]
    fn mailboxes_that_only_look_alike_stay_two() {
        check("ana.lind@nordlicht.example", "ana.lind@nordlicht.example");
        check("analind@nordlicht.example", "analind@nordlicht.example");
        check("ana-lind@web.de", "ana-lind@web.de");
        check("+ana@web.de", "+ana@web.de");
    }

    #[test]
    fn what_is_no_address_is_none() {
        for address in ["", "ana", "@gmail.com", "ana@", "ana@localhost", "ana lind@web.de", "...@gmail.com"]
        {
            check(address, "none");
        }
    }
}
