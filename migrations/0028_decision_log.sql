-- What was decided goes into the event lake, by the transaction that stored it. What older releases stored is of this one.
ALTER TABLE fraud_scores ADD COLUMN stored_in bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint;
CREATE INDEX fraud_scores_by_transaction ON fraud_scores (stored_in);

ALTER TABLE fraud_settings ADD COLUMN stored_in bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint;
CREATE INDEX fraud_settings_by_transaction ON fraud_settings (stored_in);

ALTER TABLE rate_decisions ADD COLUMN stored_in bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint;
CREATE INDEX rate_decisions_by_transaction ON rate_decisions (stored_in);

ALTER TABLE recommendations ADD COLUMN stored_in bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint;
CREATE INDEX recommendations_by_transaction ON recommendations (stored_in);
