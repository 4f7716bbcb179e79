-- The event lake asks what was stored since it last asked, as trackers ask what changed about links: with the numbers
-- of the transactions that stored it, so that none that ends late is passed over.

-- When it reached the database; null of what older releases stored. It is the batch's, so that it costs a click eight
-- bytes and no index.
ALTER TABLE clicks ADD COLUMN stored_at timestamptz;
ALTER TABLE impressions ADD COLUMN stored_at timestamptz;

-- One row for each run of clicks or impressions that a transaction stored: all of them lie between these two. A
-- worker's job forgets the old runs; who asks for older ones than there are reads the whole table instead.
CREATE TABLE event_batches (
    stored_in bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
    kind      text NOT NULL CHECK (kind IN ('click', 'impression')),
    first_id  uuid NOT NULL,
    last_id   uuid NOT NULL,
    CONSTRAINT event_batches_begin_before_they_end CHECK (first_id <= last_id)
);
CREATE INDEX event_batches_by_transaction ON event_batches (stored_in);

-- Every move with the transaction that made it, and with what the conversion was worth and how much of that was taken
-- back after it; null of moves that older releases made.
ALTER TABLE conversion_history
    ADD COLUMN stored_in bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
    ADD COLUMN amount_minor bigint,
    ADD COLUMN reversed_minor bigint CHECK (0 <= reversed_minor);
CREATE INDEX conversion_history_by_transaction ON conversion_history (stored_in);

ALTER TABLE commission_plans ADD COLUMN stored_in bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint;
CREATE INDEX commission_plans_by_transaction ON commission_plans (stored_in);
