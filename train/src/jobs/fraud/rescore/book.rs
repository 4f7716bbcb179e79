//! What the program's records say of partners, campaigns and links, from files.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    str::FromStr,
};

use anyhow::{Context, Result, ensure};
use domain::{
    AffiliateId, CampaignId,
    click::host,
    fraud::{
        evidence::KeyedHash,
        graph::{Declared, Edge, Kind},
    },
};
use features::evidence::Records;

use crate::jobs::table::Table;

/// Partners and campaigns, as far as files say.
#[derive(Default)]
pub(super) struct Book {
    partners: BTreeMap<AffiliateId, Partner>,
    countries: BTreeMap<CampaignId, Vec<String>>,
}

/// What is known of a partner.
#[derive(Default)]
struct Partner {
    records: Records,
    /// What kind of traffic: sources of one kind are compared with each other.
    kind: String,
    agency: Option<String>,
}

impl Book {
    /// Reads the files of a folder that are there.
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let mut book = Self::default();
        let files = ["affiliates", "campaigns", "links"].map(|name| file(folder, name));
        ensure!(
            files.iter().any(Option::is_some),
            "{} has no affiliates, campaigns or links as .csv or .parquet",
            folder.display()
        );
        let [partners, campaigns, links] = files;
        partners.map_or(Ok(()), |path| book.read_partners(&path))?;
        campaigns.map_or(Ok(()), |path| book.read_campaigns(&path))?;
        links.map_or(Ok(()), |path| book.read_links(&path))?;
        book.count_accounts();
        Ok(book)
    }

    fn read_partners(&mut self, path: &Path) -> Result<()> {
        let table = Table::read(path, &BTreeMap::new())?;
        let ids = ids::<AffiliateId>(&table, "id")?;
        let column = |name: &str| table.has(name).then(|| table.names_if_any(name)).transpose();
        let [emails, accounts, kinds, sites, agencies] =
            ["email_hash", "account_hash", "source", "sites", "agency"].map(column);
        let (emails, accounts, kinds, sites, agencies) = (emails?, accounts?, kinds?, sites?, agencies?);
        let licences = table.flags("licensed_search")?;
        for (row, id) in ids.into_iter().enumerate() {
            let said = |column: &Option<Vec<Option<String>>>| column.as_ref().and_then(|it| it[row].clone());
            let hashes = |text: String, name: &str| {
                let hash = |text: &str| text.parse::<KeyedHash>().with_context(|| table.place(row, name));
                words(&text).map(hash).collect::<Result<Vec<_>>>()
            };
            let account = said(&accounts).map(|text| hashes(text, "account_hash")).transpose()?;
            let records = Records {
                affiliate_email_hashes: said(&emails).map(|text| hashes(text, "email_hash")).transpose()?,
                affiliate_account_hash: account.and_then(|hashes| hashes.first().copied()),
                affiliate_sites: said(&sites).map(|text| words(&text).map(str::to_owned).collect()),
                declared_agency: agencies.as_ref().map(|it| it[row].is_some()),
                licensed_search: licences.as_ref().map(|it| it[row]),
                ..Records::default()
            };
            let partner =
                Partner { records, kind: said(&kinds).unwrap_or_default(), agency: said(&agencies) };
            ensure!(
                self.partners.insert(id, partner).is_none(),
                "{}: a second row of this partner",
                table.place(row, "id")
            );
        }
        Ok(())
    }

    fn read_campaigns(&mut self, path: &Path) -> Result<()> {
        let table = Table::read(path, &BTreeMap::new())?;
        if !table.has("countries") {
            return Ok(());
        }
        let said = table.names_if_any("countries")?;
        for (id, countries) in ids::<CampaignId>(&table, "id")?.into_iter().zip(said) {
            let countries = countries.unwrap_or_default();
            self.countries.insert(id, words(&countries).map(str::to_owned).collect());
        }
        Ok(())
    }

    /// A page with a link is on a site of its partner.
    fn read_links(&mut self, path: &Path) -> Result<()> {
        let table = Table::read(path, &BTreeMap::new())?;
        if !table.has("page") {
            return Ok(());
        }
        let pages = table.names_if_any("page")?;
        for (id, page) in ids::<AffiliateId>(&table, "affiliate")?.into_iter().zip(pages) {
            let Some(page) = page else { continue };
            let sites = self.partners.entry(id).or_default().records.affiliate_sites.get_or_insert_default();
            let site = host(&page).to_owned();
            if !site.is_empty() && !sites.contains(&site) {
                sites.push(site);
            }
        }
        Ok(())
    }

    fn count_accounts(&mut self) {
        let mut accounts: BTreeMap<KeyedHash, u64> = BTreeMap::new();
        for partner in self.partners.values() {
            if let Some(account) = partner.records.affiliate_account_hash {
                *accounts.entry(account).or_default() += 1;
            }
        }
        for Partner { records, .. } in self.partners.values_mut() {
            let account = records.affiliate_account_hash;
            records.payout_account_affiliates = account.and_then(|it| accounts.get(&it).copied());
        }
    }

    /// What is known of a partner and a campaign; how often an order was reported is counted elsewhere.
    pub(super) fn records(&self, partner: AffiliateId, campaign: CampaignId) -> Records {
        let records = self.partners.get(&partner).map(|it| it.records.clone()).unwrap_or_default();
        Records { targeted_countries: self.countries.get(&campaign).cloned(), ..records }
    }

    /// What kind of traffic a partner sends.
    pub(super) fn kind(&self, partner: AffiliateId) -> &str {
        self.partners.get(&partner).map_or("", |it| &it.kind)
    }

    /// Agencies, by their partners.
    pub(super) fn declared(&self) -> Declared {
        let names: BTreeSet<&String> = self.partners.values().filter_map(|it| it.agency.as_ref()).collect();
        let numbers: BTreeMap<&String, u128> = names.into_iter().zip(0..).collect();
        let agency = |(id, it): (&AffiliateId, &Partner)| Some((*id, numbers[it.agency.as_ref()?]));
        Declared { agencies: self.partners.iter().filter_map(agency).collect(), ..Declared::default() }
    }

    /// What partners have of their own: accounts that they are paid to, and mailboxes.
    pub(super) fn edges(&self) -> Vec<Edge> {
        let mut edges = Vec::new();
        for (affiliate, Partner { records, .. }) in &self.partners {
            let accounts = records.affiliate_account_hash.iter().map(|hash| (Kind::PayoutAccount, hash));
            let mailboxes = records.affiliate_email_hashes.iter().flatten().map(|hash| (Kind::Mailbox, hash));
            edges.extend(accounts.chain(mailboxes).map(|(kind, hash)| Edge {
                kind,
                thing: u128::from_be_bytes(hash.0),
                affiliate: *affiliate,
            }));
        }
        edges
    }
}

/// A file of this name, in either format.
fn file(folder: &Path, name: &str) -> Option<PathBuf> {
    ["csv", "parquet"]
        .map(|ending| folder.join(name).with_extension(ending))
        .into_iter()
        .find(|it| it.exists())
}

/// Words between blanks, commas or semicolons.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([' ', ',', ';']).filter(|word| !word.is_empty())
}

fn ids<T: FromStr<Err: std::error::Error + Send + Sync + 'static>>(
    table: &Table,
    field: &str,
) -> Result<Vec<T>> {
    let names = table.names_of(field)?.into_iter().enumerate();
    names.map(|(row, name)| name.trim().parse().with_context(|| table.place(row, field))).collect()
}
