-- Clicks are stored as fast as they come: no index that nobody asks, and counters that are raised in place.

-- Nothing looks clicks up by link or affiliate: links have their counters, and paths are found by session.
DROP INDEX clicks_by_link;
DROP INDEX clicks_by_affiliate;

-- A raised counter is a new version of its row. With room on the same page no index needs to hear of it; pages that
-- are full already find theirs when old versions are cleared away.
ALTER TABLE links SET (fillfactor = 70);
