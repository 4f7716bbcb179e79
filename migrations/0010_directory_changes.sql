-- Trackers learn what has changed about links instead of loading all of them again.

-- One row for each thing that changed, with the number of the transaction that changed it. A reader asks for all
-- from the oldest transaction on that was still open when it last asked: what was committed since is among them, in
-- whatever order transactions end. A worker's job forgets the old ones.
CREATE TABLE directory_changes (
    changed_in bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
    kind       text NOT NULL CHECK (kind IN ('advertiser', 'affiliate', 'campaign', 'link')),
    id         uuid NOT NULL
);
CREATE INDEX directory_changes_by_transaction ON directory_changes (changed_in);

-- The arguments are the kind of thing and the column with its id. The notice itself is given once for each statement
-- (tell_directory).
CREATE FUNCTION note_directory_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO directory_changes (kind, id)
    VALUES (TG_ARGV[0], (to_jsonb(CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END) ->> TG_ARGV[1])::uuid);
    RETURN NULL;
END $$;

CREATE TRIGGER advertisers_note_directory_change
    AFTER INSERT OR DELETE OR UPDATE OF click_param ON advertisers
    FOR EACH ROW EXECUTE FUNCTION note_directory_change('advertiser', 'id');
CREATE TRIGGER affiliates_note_directory_change
    AFTER INSERT OR DELETE OR UPDATE OF status ON affiliates
    FOR EACH ROW EXECUTE FUNCTION note_directory_change('affiliate', 'id');
CREATE TRIGGER campaigns_note_directory_change
    AFTER INSERT OR DELETE OR UPDATE OF status, landing_url, allowed_hosts, fallback_url, cookie_days ON campaigns
    FOR EACH ROW EXECUTE FUNCTION note_directory_change('campaign', 'id');
CREATE TRIGGER affiliate_campaigns_note_directory_change
    AFTER INSERT OR DELETE OR UPDATE OF status ON affiliate_campaigns
    FOR EACH ROW EXECUTE FUNCTION note_directory_change('affiliate', 'affiliate_id');
CREATE TRIGGER links_note_directory_change
    AFTER INSERT OR DELETE OR UPDATE OF code, landing_url, custom_params ON links
    FOR EACH ROW EXECUTE FUNCTION note_directory_change('link', 'id');
