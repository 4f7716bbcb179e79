-- What an account holds is added up from its index. Each index that takes another's place is made in a migration of its own, and
-- the other one dropped in a later one: so none waits for a table while it holds another, and pages are read meanwhile.
CREATE INDEX ledger_postings_of_account ON ledger_postings (account_id) INCLUDE (amount_minor);
